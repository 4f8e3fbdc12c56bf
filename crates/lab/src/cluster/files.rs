//! The certificates of a lab and how its files are written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::admin::Admin;
use crate::certificates::{Authority, Leaf};
use crate::node::FaultyCertificate;
use crate::server_conf::{TlsFiles, write_private};
use crate::{CertificateSpec, LabError};

/// Certificates of a lab, in memory and on disk.
#[derive(Debug)]
pub(super) struct TlsMaterial {
    pub(super) authority: Arc<Authority>,
    pub(super) ca_pem: String,
    pub(super) ca_path: PathBuf,
    pub(super) client_certificate: PathBuf,
    pub(super) client_key: PathBuf,
}

impl TlsMaterial {
    pub(super) fn create(
        dir: &Path,
        password: Option<&str>,
        authority: Option<Arc<Authority>>,
    ) -> Result<(Self, Admin), LabError> {
        let authority = authority.map_or_else(|| Authority::new().map(Arc::new), Ok)?;
        let (ca_path, ca_pem) = (dir.join("ca.crt"), authority.pem());
        write(&ca_path, &ca_pem)?;
        let client = authority.issue(&CertificateSpec::new(["client.truename.test"]))?;
        let (client_certificate, client_key) = write_leaf(dir, "client", &client)?;
        let admin = Admin::tls(Arc::clone(&authority), &client, password)?;
        Ok((Self { authority, ca_pem, ca_path, client_certificate, client_key }, admin))
    }

    /// Writes a node's certificates: the one it starts with, and the faulty one it will present afterwards.
    pub(super) fn equip(
        &self,
        dir: &Path,
        spec: &CertificateSpec,
    ) -> Result<(TlsFiles, Option<FaultyCertificate>), LabError> {
        let first = if spec.breaks_the_bus() { spec.sound() } else { spec.clone() };
        let (certificate, key) = write_leaf(dir, "node", &self.authority.issue(&first)?)?;
        let faulty = if spec.breaks_the_bus() {
            let (certificate, key) = write_leaf(dir, "faulty", &self.authority.issue(spec)?)?;
            Some(FaultyCertificate { certificate, key, presented: AtomicBool::new(false) })
        } else {
            None
        };
        let files = TlsFiles {
            certificate,
            key,
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            trusted: self.ca_path.clone(),
        };
        Ok((files, faulty))
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), LabError> {
    write_private(path, text).map_err(LabError::io(format!("write {}", path.display())))
}

fn write_leaf(dir: &Path, name: &str, leaf: &Leaf) -> Result<(PathBuf, PathBuf), LabError> {
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    write(&certificate, &leaf.pem)?;
    write(&key, &leaf.key_pem)?;
    Ok((certificate, key))
}

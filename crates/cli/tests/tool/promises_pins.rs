//! What may be asked of a certificate besides its chain and its name, from the command line: pins, revocation lists, the
//! minimum TLS version. And files that everybody can read.

use std::os::unix::fs::PermissionsExt;

use crate::support::{on, run, words};
use truename_lab::{Lab, LabProfile};

const NOBODY: &str = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// None of these options existed: every certificate of a trusted authority was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_has_to_be_more_than_trusted_where_that_is_asked_for() {
    let lab = Lab::builder(LabProfile::Azure).no_cluster().start().await.unwrap();
    let document = on(&lab, "doctor", "--json", &[]).await.ends_with(0).json();
    let key = document["seeds"][0]["certificate"]["key"].as_str().expect("the key is reported").to_owned();
    let list = |revoked: &[usize], outdated: bool, name: &str| {
        let path = lab.dir().join(name);
        std::fs::write(&path, lab.revocation_list(revoked, outdated).unwrap().unwrap()).unwrap();
        path.display().to_string()
    };
    let (revoked, clean, outdated) =
        (list(&[0], false, "revoked.crl"), list(&[], false, "clean.crl"), list(&[], true, "outdated.crl"));

    let good = format!("--pin {key} --crl {clean} --tls-min 1.3");
    on(&lab, "ping", &good, &[]).await.ends_with(0);
    let run = on(&lab, "ping", &format!("--pin {NOBODY}"), &[]).await.ends_with(35);
    run.says(&[&key, "not one of the pinned keys", "only if they name this very key"]);
    on(&lab, "ping", &format!("--pin {NOBODY} --pin {key}"), &[]).await.ends_with(0);
    on(&lab, "ping", &format!("--crl {revoked}"), &[]).await.ends_with(33).says(&["has been revoked"]);
    on(&lab, "ping", &format!("--crl {outdated}"), &[]).await.ends_with(0).says(&["outdated since"]);

    for node in lab.nodes() {
        node.command(&["CONFIG", "SET", "tls-protocols", "TLSv1.2"]).await.unwrap();
    }
    on(&lab, "ping", "--tls-min 1.2", &[]).await.ends_with(0);
    on(&lab, "ping", "--tls-min 1.3", &[]).await.ends_with(36).says(&["no TLS version in common"]);
    lab.shutdown().await;
}

/// They were accepted without a warning.
#[tokio::test]
async fn secrets_that_everybody_can_read_are_warned_of() {
    let lab = Lab::builder(LabProfile::Azure).no_cluster().start().await.unwrap();
    let (certificate, key) = lab.client_certificate().unwrap();
    let password = lab.dir().join("password");
    std::fs::write(&password, lab.password().unwrap()).unwrap();
    let (host, port) = lab.seed();
    let line = format!(
        "ping {host}:{port} --resolve {host}:127.0.0.1 --cacert {} --cert {} --key {} --password-file {}",
        lab.ca_pem_path().unwrap().display(),
        certificate.display(),
        key.display(),
        password.display(),
    );
    for (mode, warned) in [(0o644, true), (0o640, false)] {
        for file in [&key, &password] {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let run = run(&words(&[&line]), None).await;
        for file in [&key, &password] {
            let text = format!("in {}: restrict that with chmod", file.display());
            assert_eq!(run.stderr.contains(&text), warned, "{mode:o}: {}", run.stderr);
        }
    }
    lab.shutdown().await;
}

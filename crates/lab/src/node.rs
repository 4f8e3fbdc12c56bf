//! One node of a lab: where it is, what it announces, and the faults that can be done to it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;
use truename_resp::Reply;

use crate::LabError;
use crate::admin::Admin;
use truename_topology::Role;

use crate::plan::NodePlan;
use crate::server::Server;

const RESTART_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// One server of a lab.
#[derive(Debug)]
#[non_exhaustive]
pub struct LabNode {
    /// Its place in [`Lab::nodes`](crate::Lab::nodes): primaries first, then replicas.
    pub index: usize,
    /// Its node id, 40 hexadecimal digits.
    pub id: String,
    /// Which shard it started in.
    pub shard: usize,
    /// What it started as; failovers do not change this.
    pub role: Role,
    /// The loopback address it really listens on, whatever it announces.
    pub address: IpAddr,
    /// The port it listens on.
    pub port: u16,
    announced: (String, u16),
    proxied_at: Vec<SocketAddr>,
    server: Server,
    admin: Admin,
    stopped: AtomicBool,
    faulty: Option<FaultyCertificate>,
}

/// A certificate that would keep the cluster from forming, and is therefore presented only afterwards.
#[derive(Debug)]
pub(crate) struct FaultyCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) presented: AtomicBool,
}

impl LabNode {
    pub(crate) fn new(
        plan: &NodePlan,
        server: Server,
        admin: Admin,
        faulty: Option<FaultyCertificate>,
    ) -> Self {
        Self {
            index: plan.index,
            id: plan.id.clone(),
            shard: plan.shard,
            role: plan.role,
            address: plan.address.into(),
            port: plan.port,
            announced: plan.announced.clone(),
            proxied_at: plan.proxied_at.clone(),
            server,
            admin,
            stopped: AtomicBool::new(false),
            faulty,
        }
    }

    /// The host and port clients are told; the host is empty where the endpoint is unknown (NULL).
    #[must_use]
    pub fn announced(&self) -> (String, u16) {
        self.announced.clone()
    }

    /// Where it really listens.
    #[must_use]
    pub const fn socket_addr(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// Where its fault proxy listens; empty without one.
    pub(crate) fn proxied_at(&self) -> &[SocketAddr] {
        &self.proxied_at
    }

    /// Where clients reach it: the fault proxy in front of it if there is one.
    pub(crate) fn reached_at(&self) -> SocketAddr {
        self.proxied_at.first().copied().unwrap_or_else(|| self.socket_addr())
    }

    /// Its process id while it has a process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Whether its process lives; a [stopped](Self::stop) one does.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// Whether it can be expected to answer.
    pub(crate) fn is_responsive(&self) -> bool {
        self.is_running() && !self.stopped.load(Ordering::Relaxed)
    }

    /// The file its server logs to.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.server.log_path()
    }

    /// Ends the process with SIGKILL, as in a crash; returns when it is gone.
    pub fn kill(&self) {
        self.server.kill();
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// Freezes the process with SIGSTOP: its connections stay open and nothing answers.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.server.signal(Signal::STOP);
    }

    /// Lets a stopped process continue (SIGCONT).
    pub fn cont(&self) {
        self.server.signal(Signal::CONT);
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// Starts the process again at the same address with the same node id, ending it first if it runs; returns when
    /// it answers. Its data is gone (labs keep none on disk): it comes back empty, or copies its primary's.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&self) -> Result<(), LabError> {
        self.kill();
        if let Some(faulty) = &self.faulty {
            faulty.presented.store(false, Ordering::Relaxed);
        }
        self.start()?;
        self.answering().await
    }

    /// One command on a connection of its own; an error reply is returned as a reply.
    ///
    /// # Errors
    /// When the node cannot be reached or does not answer in time.
    pub async fn command(&self, args: &[&str]) -> Result<Reply, LabError> {
        self.admin.command(self.socket_addr(), args).await
    }

    /// Like [`command`](Self::command), but an error reply is an error.
    pub(crate) async fn expect(&self, args: &[&str]) -> Result<Reply, LabError> {
        self.admin.expect(self.socket_addr(), args).await
    }

    pub(crate) fn start(&self) -> Result<(), LabError> {
        self.server.start()
    }

    pub(crate) const fn admin(&self) -> &Admin {
        &self.admin
    }

    pub(crate) fn log_tail(&self) -> String {
        self.server.log_tail()
    }

    /// The error that explains why the process ended by itself, if it did.
    pub(crate) fn failure(&self) -> Option<LabError> {
        self.server.exit_status().map(|status| self.server.explain_exit(self.index, status))
    }

    /// Sends the signal only; [`kill`](Self::kill) or drop collects the process.
    pub(crate) fn begin_kill(&self) {
        self.server.signal(Signal::KILL);
    }

    /// Waits until the server answers PING, and so is not loading either.
    pub(crate) async fn answering(&self) -> Result<(), LabError> {
        let started = Instant::now();
        loop {
            let seen = match self.command(&["PING"]).await {
                Ok(reply) if reply.as_error().is_none() => return Ok(()),
                Ok(reply) => format!("{reply:?}"),
                Err(error) => error.to_string(),
            };
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            let waited = started.elapsed();
            if waited > RESTART_DEADLINE {
                let wanted = format!("node {} to answer", self.index);
                return Err(LabError::NotReached {
                    wanted,
                    waited,
                    seen,
                    node: self.index,
                    log: self.log_tail(),
                });
            }
            sleep(POLL).await;
        }
    }

    /// Puts a faulty certificate in place, if this node is to have one and has not yet.
    pub(crate) async fn present_certificate(&self) -> Result<(), LabError> {
        let Some(faulty) = &self.faulty else { return Ok(()) };
        if !self.is_responsive() || faulty.presented.load(Ordering::Relaxed) {
            return Ok(());
        }
        let [certificate, key] = [&faulty.certificate, &faulty.key].map(|path| path.display().to_string());
        self.expect(&["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key]).await?;
        faulty.presented.store(true, Ordering::Relaxed);
        Ok(())
    }
}

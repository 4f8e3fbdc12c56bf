//! Where the major versions of redis-rs differ. All other code is the same for each, and is compiled once for each.

/// redis-rs 1.
pub(crate) mod v1 {
    use std::any::TypeId;
    use std::error::Error;
    use std::io;
    use std::sync::Arc;

    pub(crate) use ::redis;
    use ::redis::cluster_read_routing::{RandomReplicaStrategy, RoundRobinReplicaStrategy};
    use ::redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError};
    use truename::topology::Endpoint;

    use super::{Dialled, is_default_tcp};
    use crate::engine::Seed;

    /// Found before anything was sent.
    pub(crate) const CLIENT: ErrorKind = ErrorKind::Client;
    /// A reply of another kind than was expected.
    pub(crate) const TYPE: ErrorKind = ErrorKind::UnexpectedReturnType;
    /// An error of the server that redis-rs does not know.
    pub(crate) const EXTENSION: ErrorKind = ErrorKind::Extension;

    /// What a URL or a `ConnectionInfo` says.
    pub(crate) fn seed(info: &ConnectionInfo) -> Option<Seed> {
        let (settings, addr) = (info.redis_settings(), info.addr());
        let mut seed = super::seed(match addr {
            ConnectionAddr::Tcp(host, port) => Dialled::Tcp(host, *port),
            ConnectionAddr::TcpTls { host, port, insecure, tls_params } => {
                Dialled::Tls { host, port: *port, is_insecure: *insecure, has_params: tls_params.is_some() }
            }
            ConnectionAddr::Unix(_) => Dialled::Elsewhere,
            _ => return None,
        });
        seed.user = settings.username().map(str::to_owned);
        seed.password = settings.password().map(str::to_owned);
        seed.is_resp3 = settings.protocol().supports_resp3();
        seed.database = settings.db();
        if settings.skip_set_lib_name() || settings.lib_name().is_some() {
            seed.refused.push(("lib_name", "what CLIENT SETINFO says is the client's own; leave it out"));
        }
        if !is_default_tcp(info.tcp_settings()) {
            seed.refused.push(super::TCP_SETTINGS);
        }
        Some(seed)
    }

    /// The error of the operating system's kind that it was made from.
    pub(crate) fn io_error(error: &RedisError) -> Option<&io::Error> {
        error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?.downcast_ref()
    }

    /// An address in a table of addresses.
    pub(crate) type NodeAddress = ::redis::cluster::NodeAddress;

    pub(crate) fn endpoint(address: &NodeAddress) -> Endpoint {
        Endpoint::new(address.host(), address.port())
    }

    /// Strategies that read from a replica, whichever, and from the primary if there is none.
    pub(crate) fn is_any_replica(strategy: TypeId) -> bool {
        strategy == TypeId::of::<RandomReplicaStrategy>()
            || strategy == TypeId::of::<RoundRobinReplicaStrategy>()
    }
}

/// redis-rs 0.32.
#[cfg(feature = "v0_32")]
pub(crate) mod v0_32 {
    use std::any::TypeId;
    use std::error::Error;
    use std::io;

    pub(crate) use ::redis_0_32 as redis;
    use ::redis_0_32::{ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, RedisError};
    use truename::topology::Endpoint;

    use super::Dialled;
    use crate::engine::Seed;

    /// Found before anything was sent.
    pub(crate) const CLIENT: ErrorKind = ErrorKind::ClientError;
    /// A reply of another kind than was expected.
    pub(crate) const TYPE: ErrorKind = ErrorKind::TypeError;
    /// An error of the server that redis-rs does not know.
    pub(crate) const EXTENSION: ErrorKind = ErrorKind::ExtensionError;

    /// What a URL or a `ConnectionInfo` says.
    pub(crate) fn seed(info: &ConnectionInfo) -> Option<Seed> {
        let settings = &info.redis;
        let mut seed = super::seed(match &info.addr {
            ConnectionAddr::Tcp(host, port) => Dialled::Tcp(host, *port),
            ConnectionAddr::TcpTls { host, port, insecure, tls_params } => {
                Dialled::Tls { host, port: *port, is_insecure: *insecure, has_params: tls_params.is_some() }
            }
            ConnectionAddr::Unix(_) => Dialled::Elsewhere,
        });
        seed.user.clone_from(&settings.username);
        seed.password.clone_from(&settings.password);
        seed.is_resp3 = settings.protocol != ProtocolVersion::RESP2;
        seed.database = settings.db;
        Some(seed)
    }

    /// The error of the operating system's kind that it was made from.
    pub(crate) fn io_error(error: &RedisError) -> Option<&io::Error> {
        error.source()?.downcast_ref()
    }

    /// An address in a table of addresses, which this version has not.
    pub(crate) type NodeAddress = (String, u16);

    pub(crate) fn endpoint((host, port): &NodeAddress) -> Endpoint {
        Endpoint::new(host.as_str(), *port)
    }

    /// This version has no strategies.
    pub(crate) fn is_any_replica(_: TypeId) -> bool {
        false
    }
}

use std::fmt;

use crate::engine::Seed;

/// Options of sockets.
pub(crate) const TCP_SETTINGS: (&str, &str) = (
    "tcp_settings",
    "sockets have TCP_NODELAY, keep-alive and TCP_USER_TIMEOUT by the time-outs; leave it out",
);

/// Where a node is.
enum Dialled<'i> {
    Tcp(&'i str, u16),
    Tls { host: &'i str, port: u16, is_insecure: bool, has_params: bool },
    Elsewhere,
}

fn seed(dialled: Dialled<'_>) -> Seed {
    let mut seed = Seed::default();
    match dialled {
        Dialled::Tcp(host, port) => (seed.host, seed.port) = (host.to_owned(), port),
        Dialled::Tls { host, port, is_insecure, has_params } => {
            (seed.host, seed.port, seed.is_tls) = (host.to_owned(), port, true);
            if is_insecure {
                seed.refused.push((
                    "#insecure",
                    "every certificate is checked; for other names than the nodes' there is `configure` with \
                     Config::verify_as or Config::trust",
                ));
            }
            if has_params {
                seed.refused.push(("tls_params", "give the certificates to `certs`"));
            }
        }
        Dialled::Elsewhere => {
            seed.refused.push(("unix", "a cluster is reached by TCP alone; give a host and a port"));
        }
    }
    seed
}

/// Whether nothing but `nodelay` is set; there is no other way to read all of it in each version.
pub(crate) fn is_default_tcp(settings: &impl fmt::Debug) -> bool {
    !format!("{settings:?}").contains("Some(")
}

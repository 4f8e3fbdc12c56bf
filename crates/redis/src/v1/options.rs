//! What builders of clients and of single connections have in common: options that are refused, and another resolver.

use std::io;
use std::sync::Arc;

use truename::{Lookup, Resolve};

use super::error::to_redis_error;
use super::version::redis::io::AsyncDNSResolver;
use super::version::redis::{ErrorKind, RedisError};
use crate::engine::{Settings, Unusable};

pub(super) fn unusable(why: Unusable) -> RedisError {
    match why {
        Unusable::Refused(told) => {
            (ErrorKind::InvalidClientConfig, "truename-redis cannot do what was asked for", told).into()
        }
        Unusable::Config(error) => to_redis_error(error),
    }
}

pub(super) fn refuse_push_sender(settings: &mut Settings) {
    settings.refuse("push_sender", "subscriptions are not part of this version; leave it out");
}

/// Another resolver of names, as the client has one.
pub(super) fn resolve_with(resolver: impl AsyncDNSResolver) -> Arc<dyn Resolve> {
    let resolver = Arc::new(resolver);
    Arc::new(move |host: &str, port: u16| -> Lookup {
        let (resolver, host) = (resolver.clone(), host.to_owned());
        Box::pin(async move {
            let found = resolver.resolve(&host, port).await.map_err(io::Error::other)?;
            Ok(found.collect())
        })
    })
}

//! For redis-rs 1.

#[path = "glue/mod.rs"]
pub(crate) mod glue;

pub(crate) use crate::versions::v1 as version;

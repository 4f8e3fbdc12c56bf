//! The runtime that a client is made on.

use tokio::runtime::Handle;

use crate::error::Error;

/// The runtime of the caller.
pub(crate) fn runtime_here() -> Result<Handle, Error> {
    Handle::try_current().map_err(|_| {
        Error::config_with_remedy(
            "no tokio runtime is running here",
            "call this inside one, such as under #[tokio::main]",
        )
    })
}

/// Runs what may read files on a thread where that blocks no task.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    runtime: &Handle,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let worked = runtime.spawn_blocking(work).await;
    worked.map_err(|error| Error::config(format!("building the TLS configuration failed: {error}")))?
}

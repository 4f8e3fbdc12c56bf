//! Counts every allocation of the process, on counters per thread so that counting causes no contention.

/// Allocations and bytes since [`Counter::start`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allocations {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

#[cfg(feature = "count-allocations")]
mod counting {
    use alloc_tracker::{Allocator, ProcessSpan, Session};

    use super::Allocations;

    #[global_allocator]
    static ALLOCATOR: Allocator<std::alloc::System> = Allocator::system();

    const OPERATION: &str = "window";

    /// A count that is under way.
    #[derive(Debug)]
    pub(crate) struct Counter {
        session: Session,
        span: ProcessSpan,
    }

    impl Counter {
        pub(crate) fn start() -> Self {
            let session = Session::new();
            let span = session.operation(OPERATION).measure_process();
            Self { session, span }
        }

        pub(crate) fn stop(self) -> Option<Allocations> {
            drop(self.span);
            let report = self.session.to_report();
            let (_, window) = report.operations().find(|(name, _)| *name == OPERATION)?;
            Some(Allocations {
                count: window.total_allocations_count(),
                bytes: window.total_bytes_allocated(),
            })
        }
    }
}

#[cfg(not(feature = "count-allocations"))]
mod counting {
    use super::Allocations;

    /// Stands in for the count in a build that does not count.
    #[derive(Debug)]
    pub(crate) struct Counter;

    impl Counter {
        pub(crate) fn start() -> Self {
            Self
        }

        pub(crate) fn stop(self) -> Option<Allocations> {
            None
        }
    }
}

pub(crate) use counting::Counter;

#[cfg(all(test, feature = "count-allocations"))]
mod tests {
    use super::*;

    #[test]
    fn allocations_of_every_thread_are_counted() {
        let counter = Counter::start();
        let here = std::hint::black_box(vec![0_u8; 1000]);
        let there = std::thread::spawn(|| std::hint::black_box(vec![0_u8; 2000])).join().unwrap();
        let counted = counter.stop().unwrap();
        assert!(counted.count >= 2 && counted.bytes >= 3000, "{counted:?}");
        drop((here, there));
    }
}

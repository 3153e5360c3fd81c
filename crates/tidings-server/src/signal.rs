//! The operating system's request to stop.

#[cfg(unix)]
pub(crate) use unix::StopSignals;

#[cfg(not(unix))]
pub(crate) use other::StopSignals;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// SIGTERM and SIGINT (Ctrl-C).
    pub(crate) struct StopSignals {
        terminate: Signal,
        interrupt: Signal,
    }

    impl StopSignals {
        pub(crate) fn listen() -> std::io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        }

        /// Waits for the next of them.
        pub(crate) async fn next(&mut self) {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    /// Ctrl-C.
    pub(crate) struct StopSignals(());

    impl StopSignals {
        #[expect(clippy::unnecessary_wraps, reason = "as on Unix, where it can fail")]
        pub(crate) fn listen() -> std::io::Result<Self> {
            Ok(Self(()))
        }

        /// Waits for the next one.
        pub(crate) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                tracing::error!("Ctrl-C cannot be awaited: end the process by other means");
                std::future::pending::<()>().await;
            }
        }
    }
}

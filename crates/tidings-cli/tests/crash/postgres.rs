//! A PostgreSQL of the test's own.

pub(crate) struct Postgres {
    pub(crate) url: String,
}

impl Postgres {
    #[expect(clippy::unused_async, reason = "starting one takes a while")]
    pub(crate) async fn start() -> Self {
        let url = std::env::var("TIDINGS_CRASH_POSTGRES").expect("a URL");
        Self { url }
    }
}

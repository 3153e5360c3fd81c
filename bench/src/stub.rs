//! Stands in for the store's private PostgreSQL.
pub(crate) struct TestPostgres;
#[derive(Default)]
pub(crate) struct TestPostgresOptions;
impl TestPostgresOptions {
    pub(crate) fn durable(self) -> Self {
        self
    }
    pub(crate) fn setting(self, _: &str) -> Self {
        self
    }
    pub(crate) fn start(self) -> TestPostgres {
        unimplemented!()
    }
}
impl TestPostgres {
    pub(crate) fn url(&self) -> String {
        String::new()
    }
    pub(crate) fn sql(&self, _: &str) -> Option<String> {
        None
    }
    pub(crate) fn folder(&self) -> std::path::PathBuf {
        Default::default()
    }
}

//! What a program adds to the server's adapter.

use tidings_proactive::Jobs;
use tidings_server::{Config, Server};

use crate::harness::{bot, database};

#[tokio::test]
async fn the_adapter_has_what_was_added_beside_what_the_server_gives() {
    #[derive(Clone, Debug, PartialEq)]
    struct Greeting(&'static str);

    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: database(folder.path()),
        ..Config::default()
    };
    let server = Server::bind_with(&config, bot(), |adapter| {
        adapter.service(Greeting("Good morning."))
    })
    .await
    .unwrap();
    let services = server.adapter().services();
    assert_eq!(services.get::<Greeting>(), Some(&Greeting("Good morning.")));
    assert!(services.get::<Jobs>().is_some());
}

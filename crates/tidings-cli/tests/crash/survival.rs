//! One process after the other on one database.

use tidings_store::test_postgres::TestPostgresOptions;

use crate::channel::Temper;
use crate::node::NodeOptions;
use crate::run::{Run, serve};
use crate::settings::Settings;

/// How often the process is killed, unless the environment says otherwise.
const KILLS: u32 = 100;
/// How often it is restarted in peace, and how much the channel gets in between.
const RESTARTS: usize = 8;
const SERVED: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delivery_on_sqlite_survives_kill_9() {
    survive(Settings::of_environment(KILLS), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delivery_on_postgres_survives_kill_9() {
    let database = TestPostgresOptions::default().durable().start();
    let url = database.url();
    survive(Settings::of_environment(KILLS), Some(&url)).await;
}

async fn survive(settings: Settings, database: Option<&str>) {
    let mut run = Run::new(settings, Temper::Moody(settings.seed)).await;
    let options = run.node("node", database);
    run.trade();
    run.kill_again_and_again(&options).await;
    let mut last = serve(&options, &run.door).await;
    run.settle().await;
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_peace_repeats_nothing() {
    let mut run = Run::new(Settings::of_environment(0), Temper::Calm).await;
    let options = NodeOptions {
        lease: None,
        ..run.node("node", None)
    };
    run.trade();
    for _ in 0..RESTARTS {
        let mut served = serve(&options, &run.door).await;
        // It is told to stop in the middle of its work.
        run.until_posted(SERVED).await;
        run.door.close(&served.base);
        served.stop().await;
    }
    let mut last = serve(&options, &run.door).await;
    // Nothing died, so nothing may have been posted twice.
    run.settle().await;
    last.stop().await;
}

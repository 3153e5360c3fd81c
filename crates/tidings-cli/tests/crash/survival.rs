//! One process after the other on one database.

use crate::channel::Temper;
use crate::load::Trade;
use crate::run::{Run, serve};
use crate::settings::Settings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_completed_a_job_is_told_whatever_is_killed() {
    let settings = Settings::of_environment(100);
    let mut run = Run::new(settings, Temper::Moody(settings.seed), Trade::Jobs).await;
    let options = run.node("node", None);
    run.trade();
    run.kill_again_and_again(&options).await;
    let (mut node, _) = serve(&options, &run.door).await;
    run.settle().await;
    node.stop().await;
}

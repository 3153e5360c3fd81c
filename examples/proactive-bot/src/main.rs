//! Serves the bot of the article, and nothing else: `cargo run -p proactive-bot`.

#[tokio::main]
async fn main() -> tidings::Result<()> {
    tidings::serve(proactive_bot::bot()).await
}

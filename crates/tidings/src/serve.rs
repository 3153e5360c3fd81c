use tidings_bot::{Bot, Result};
use tidings_server::{Config, Flags, Server, telemetry};

/// Serves `bot` until SIGTERM or Ctrl-C: its endpoint, its durable jobs, a local channel and a page with chat windows.
///
/// Settings come from the environment, then `.env`, then `tidings.toml` in the working directory (each key is described in
/// [`Config::MANUAL`]); without any, it listens on 127.0.0.1:3978 and keeps everything in `tidings.db`. Logging is started
/// unless the program has done so.
///
/// ```no_run
/// use tidings::prelude::*;
///
/// #[tokio::main]
/// async fn main() -> tidings::Result<()> {
///     tidings::serve(Router::new().otherwise(echo)).await
/// }
///
/// async fn echo(turn: &mut TurnContext, text: Text) -> tidings::Result<()> {
///     turn.say(text.0).await
/// }
/// ```
///
/// # Errors
///
/// What stands in the way of a start, in one line that says what to do: a wrong setting, a taken port, a locked database.
pub async fn serve(bot: impl Bot) -> Result<()> {
    let config = Config::load(&Flags::default())?;
    telemetry::init(&config)?;
    let server = Server::bind(&config, bot).await?;
    server.log_ready();
    server.run_until_signal().await?;
    Ok(())
}

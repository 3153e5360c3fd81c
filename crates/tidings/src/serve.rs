use tidings_bot::{AdapterBuilder, Bot, Result};
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
    serve_with(bot, |adapter| adapter).await
}

/// As [`serve`], with an adapter that `set_up` adds to: middleware, services of your own, custom states.
///
/// ```no_run
/// use tidings::prelude::*;
///
/// #[derive(Clone)]
/// struct Greeting(String);
///
/// #[tokio::main]
/// async fn main() -> tidings::Result<()> {
///     let bot = Router::new().otherwise(greet);
///     tidings::serve_with(bot, |adapter| adapter.service(Greeting("Good morning.".into()))).await
/// }
///
/// async fn greet(turn: &mut TurnContext, Service(greeting): Service<Greeting>) -> tidings::Result<()> {
///     turn.say(greeting.0).await
/// }
/// ```
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with(bot: impl Bot, set_up: impl FnOnce(AdapterBuilder) -> AdapterBuilder) -> Result<()> {
    let config = Config::load(&Flags::default())?;
    let telemetry = telemetry::init(&config)?;
    let server = Server::bind_with(&config, bot, set_up).await?;
    server.log_ready();
    let ended = server.run_until_signal().await;
    telemetry.finish().await;
    Ok(ended?)
}

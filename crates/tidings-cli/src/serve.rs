//! `tidings serve`: the guide's bot on the whole server.

use tidings_server::{Config, LogFormat, Server, telemetry};

use crate::arguments::Serve;
use crate::banner::banner;
use crate::{Failure, print, runtime};

pub(crate) fn run(serve: &Serve) -> Result<(), Failure> {
    let config = Config::load(&serve.flags())?;
    let _until_the_end = telemetry::init(&config)?;
    runtime()?.block_on(async {
        let server = Server::bind(&config, proactive_bot::bot()).await?;
        match config.log_format {
            LogFormat::Text => print(&banner(
                server.base_url(),
                config.local_channel_is_on(),
                &server.database(),
            ))?,
            LogFormat::Json => server.log_ready(),
        }
        server.run_until_signal().await?;
        Ok(())
    })
}

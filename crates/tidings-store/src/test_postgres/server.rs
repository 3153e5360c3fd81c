use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::programs::Programs;
use super::user::ServerUser;
use super::{TestPostgresOptions, template};

/// A server may take this long to start, on the busiest of machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether the server is ready, for which it gives no signal.
const LOOK: Duration = Duration::from_millis(3);

/// Runs the server until it is told to end it, or until whoever could tell is gone: then its pipe closes.
const KEEPER: &str = r#"
    "$@" >>"$0/log" 2>&1 &
    server=$!
    read -r how || how=abandoned
    case $how in
        stop) kill -INT $server ;;
        *) kill -QUIT $server ;;
    esac
    wait $server
    if [ $how = abandoned ]; then rm -rf "$0"; fi
"#;

/// A server process with its folder.
#[derive(Debug)]
pub(super) struct Server {
    programs: Programs,
    user: ServerUser,
    settings: Vec<String>,
    port: u16,
    keeper: Option<Child>,
    folder: TempDir,
}

impl Server {
    pub(super) fn start(options: TestPostgresOptions) -> Server {
        let programs = Programs::find();
        let folder = tempfile::Builder::new()
            .prefix("tidings-pg-")
            .tempdir()
            .expect("a temporary folder can be made");
        let user = ServerUser::for_folder(folder.path());
        user.own(folder.path());
        let data = folder.path().join("data");
        template::create(&data, &programs, user);
        let access = options.access.map(|lines| ("pg_hba.conf".to_owned(), lines));
        for (name, content) in options.files.into_iter().chain(access) {
            let path = data.join(name);
            fs::write(&path, content).expect("a file of the server can be written");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode can be set");
            user.own(&path);
        }
        let mut settings = vec![
            "max_connections=200".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "max_wal_size=1GB".to_owned(),
            // Nothing of a server that is killed stays behind in shared memory.
            "dynamic_shared_memory_type=mmap".to_owned(),
        ];
        let port = if options.tcp { free_port() } else { 5432 };
        let addresses = if options.tcp { "127.0.0.1" } else { "" };
        settings.push(format!("listen_addresses={addresses}"));
        settings.push(format!("port={port}"));
        if !options.durable {
            settings.extend(["fsync=off", "full_page_writes=off", "autovacuum=off"].map(str::to_owned));
        }
        settings.extend(options.settings);
        let mut server = Server {
            programs,
            user,
            settings,
            port,
            keeper: None,
            folder,
        };
        server.start_again();
        server
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn start_again(&mut self) {
        assert!(self.keeper.is_none(), "the server runs already");
        let mut command = self.user.command("sh");
        command.args(["-c", KEEPER]).arg(self.folder());
        command.arg(self.programs.path("postgres"));
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder());
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let keeper = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        self.keeper = Some(keeper);
        let began = Instant::now();
        while !self.is_ready() {
            assert!(
                began.elapsed() < PATIENCE,
                "the server does not start:\n{}",
                self.log()
            );
            #[expect(
                clippy::disallowed_methods,
                reason = "a server that starts gives no signal to wait for"
            )]
            thread::sleep(LOOK);
        }
    }

    /// What `pg_ctl` looks at, too.
    fn is_ready(&self) -> bool {
        fs::read_to_string(self.data().join("postmaster.pid"))
            .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"))
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    pub(super) fn stop(&mut self) {
        self.end("stop");
    }

    pub(super) fn crash(&mut self) {
        self.end("crash");
    }

    fn end(&mut self, how: &str) {
        if let Some(mut keeper) = self.keeper.take() {
            if let Some(stdin) = &mut keeper.stdin {
                let _ = writeln!(stdin, "{how}");
            }
            let _ = keeper.wait();
        }
        // A crashed server leaves it.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
    }
}

/// A port that was free just now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

/// Runs SQL in a connection of its own and returns the first column of the first row.
pub(super) fn sql(url: &str, sql: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls)
            .await
            .expect("the test server answers");
        let connection = tokio::spawn(connection);
        let messages = client
            .simple_query(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        drop(client);
        let _ = connection.await;
        messages.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    })
}

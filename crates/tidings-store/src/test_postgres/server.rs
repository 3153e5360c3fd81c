use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
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

/// Starts and ends the server as it is told. When whoever tells is gone, its pipe closes: then nothing stays.
const KEEPER: &str = r#"
    server=
    end() { kill "$1" $server && wait $server; server=; }
    while read -r what; do
        case $what in
            start) "$@" >>"$0/log" 2>&1 & server=$! ;;
            stop) end -INT ;;
            crash) end -QUIT ;;
        esac
        echo done
    done
    if [ -n "$server" ]; then end -QUIT; fi
    rm -rf "$0"
"#;

/// A server process with its folder.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    keeper: Child,
    answers: BufReader<ChildStdout>,
    runs: bool,
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
        let data = folder.path().join("data");
        // The keeper comes before anything that could be left behind.
        let mut keeper = user.command("sh");
        keeper.args(["-c", KEEPER]).arg(folder.path());
        keeper.arg(programs.path("postgres"));
        keeper.arg("-D").arg(&data).arg("-k").arg(folder.path());
        for setting in &settings {
            keeper.args(["-c", setting]);
        }
        let mut keeper = keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let answers = BufReader::new(keeper.stdout.take().expect("its output is a pipe"));
        template::create(&data, &programs, user);
        let access = options.access.map(|lines| ("pg_hba.conf".to_owned(), lines));
        for (name, content) in options.files.into_iter().chain(access) {
            let path = data.join(name);
            fs::write(&path, content).expect("a file of the server can be written");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode can be set");
            user.own(&path);
        }
        let mut server = Server {
            port,
            keeper,
            answers,
            runs: false,
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
        assert!(!self.runs, "the server runs already");
        self.tell("start");
        self.runs = true;
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

    /// Tells the keeper, and waits until it has done so.
    fn tell(&mut self, what: &str) {
        let told = self.keeper.stdin.as_mut().map(|stdin| writeln!(stdin, "{what}"));
        let mut answer = String::new();
        let answered = self.answers.read_line(&mut answer);
        assert!(
            matches!((told, answered), (Some(Ok(())), Ok(1..))),
            "who keeps the server is gone"
        );
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
        if self.runs {
            self.tell(how);
            self.runs = false;
            // A crashed server leaves it.
            let _ = fs::remove_file(self.data().join("postmaster.pid"));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
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

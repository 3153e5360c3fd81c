use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Who runs the server: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(super) enum ServerUser {
    Ourselves,
    Other { uid: u32, gid: u32 },
}

impl ServerUser {
    /// `folder` was just made by this process.
    pub(super) fn for_folder(folder: &Path) -> ServerUser {
        let owner = fs::metadata(folder).expect("the folder was just made").uid();
        if owner != 0 {
            return ServerUser::Ourselves;
        }
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd names the users");
        let find = |name: &str| {
            let mut fields = users
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}:")))?
                .split(':');
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(ServerUser::Other { uid, gid })
        };
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("root runs the tests, and there is neither a user postgres nor nobody to run the server")
    }

    /// Makes `command` run as this user, apart from what a terminal or a test runner sends to our group.
    pub(super) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.process_group(0).env("LC_ALL", "C").current_dir("/");
        if let ServerUser::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes this user the owner of `path`.
    pub(super) fn own(self, path: &Path) {
        if let ServerUser::Other { uid, gid } = self {
            chown(path, Some(uid), Some(gid)).expect("root gives a file away");
        }
    }
}

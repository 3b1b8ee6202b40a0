//! Sets a `cfg` for everything that only some machines have, so that tests without it count as ignored
//! (`tests/suite/support/mod.rs` documents the variables), and `FACEGUESSER_VERSION`, which names the commit.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Each `cfg` and the variable that names the folder it stands for.
const FOLDERS: [(&str, &str); 4] = [
    ("with_data", "FACEGUESSER_DATA"),
    ("with_photos", "FACEGUESSER_PHOTOS"),
    ("with_specs", "FACEGUESSER_SPECS"),
    ("with_cases", "FACEGUESSER_CASES"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Where every test must run, those that miss something run and fail.
    let all = variable("FACEGUESSER_REQUIRE_ALL").is_some_and(|value| value == "1");
    for (cfg, name) in FOLDERS {
        set(cfg, all || is_folder(name));
    }
    set("with_browser", all || is_on_path("chromedriver"));
    set("with_nats", all || is_on_path("nats-server"));
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = commit().map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=FACEGUESSER_VERSION={version}");
}

/// The commit that is built, in short: the one that `FACEGUESSER_COMMIT` names, the one of a package, or that of the
/// repository, if this is one. The repository's is left out of builds for development, which would be repeated
/// after every commit.
fn commit() -> Option<String> {
    let given = variable("FACEGUESSER_COMMIT").and_then(|commit| commit.into_string().ok());
    let commit = given.or_else(packaged_commit).or_else(repository_commit)?;
    let commit: String = commit.trim().chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    Some(commit).filter(|commit| !commit.is_empty())
}

/// From the file that `cargo package` adds.
fn packaged_commit() -> Option<String> {
    let info = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    Some(info.split_once("\"sha1\"")?.1.split('"').nth(1)?.to_owned())
}

fn repository_commit() -> Option<String> {
    // A tarball may be unpacked within another repository.
    if env::var_os("PROFILE").is_none_or(|profile| profile != "release") || !Path::new(".git").exists() {
        return None;
    }
    // This file changes whenever another commit is checked out or made.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn set(cfg: &str, present: bool) {
    println!("cargo::rustc-check-cfg=cfg({cfg})");
    if present {
        println!("cargo::rustc-cfg={cfg}");
    }
}

/// The value of a variable; Cargo runs this script again when it changes.
fn variable(name: &str) -> Option<OsString> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var_os(name).filter(|value| !value.is_empty())
}

fn is_folder(name: &str) -> bool {
    let Some(value) = variable(name) else { return false };
    let folder = Path::new(&value);
    if !folder.is_dir() {
        println!("cargo::warning={name} names {}, which is not a folder: its tests are ignored", folder.display());
        // Cargo looks for it at the next build.
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    folder.is_dir()
}

fn is_on_path(program: &str) -> bool {
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    variable("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(&file).is_file()))
}

//! Sets a `cfg` for everything that only some machines have, so that tests without it count as ignored.
//! `tests/suite/support/mod.rs` documents the variables.

use std::env;
use std::ffi::OsString;
use std::path::Path;

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

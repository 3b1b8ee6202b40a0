//! The project's rules that the compiler does not check: which module may use what, and the length of files.

use std::path::{Path, PathBuf};

/// Every source file of both crates: its path relative to the crate's `src`, and its text.
fn sources() -> Vec<(String, String)> {
    let roots = ["src", "vision/src"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    roots.iter().flat_map(|root| sources_in(root)).collect()
}

fn sources_in(root: &Path) -> Vec<(String, String)> {
    let files = walkdir::WalkDir::new(root).into_iter().map(|entry| entry.unwrap().into_path());
    let rust = files.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let name = |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    rust.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// The code of a file without comments and tests.
fn code(text: &str) -> String {
    let without_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    without_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn chat_libraries_are_used_in_platform_only_and_tensors_in_the_modules_of_the_networks() {
    let rules: [(&str, &[&str]); 5] = [
        ("serenity", &["platform/"]),
        ("teloxide", &["platform/"]),
        ("ruma", &["platform/"]),
        ("candle_core", &["model/", "inference/", "training/", "evaluation/"]),
        ("candle_nn", &["model/", "inference/", "training/", "evaluation/"]),
    ];
    for (file, text) in sources() {
        for (library, modules) in rules {
            let allowed = modules.iter().any(|module| file.starts_with(module));
            assert!(allowed || !code(&text).contains(&format!("{library}::")), "{file} uses {library}");
        }
    }
}

#[test]
fn modules_depend_only_on_those_below_them() {
    // "root" is the facade, which the crate exports without a module's name.
    let may_use: [(&str, &[&str]); 16] = [
        ("telemetry.rs", &["config"]),
        ("observe/", &["observe"]),
        ("analysis.rs", &["face", "model"]),
        ("guesser.rs", &["analysis", "face", "photo", "model"]),
        ("download.rs", &[]),
        ("config/", &["bot", "inference", "download", "photo", "model"]),
        ("photo/", &["photo"]),
        ("model/", &["model"]),
        ("face/", &["face", "photo", "model"]),
        ("explain/", &["root", "explain", "photo", "face", "model"]),
        ("inference/", &["root", "inference", "explain", "photo", "observe"]),
        ("bot/", &["root", "bot", "inference", "explain", "download", "face", "photo", "observe"]),
        ("cluster/", &["cluster", "bot", "download", "observe"]),
        ("platform/", &["platform", "bot", "inference", "download", "photo", "config", "observe"]),
        ("training/", &["training", "evaluation", "photo", "face", "model"]),
        ("evaluation/", &["evaluation", "photo", "face", "model"]),
    ];
    for (file, text) in sources() {
        let Some((_, modules)) = may_use.iter().find(|(module, _)| file.starts_with(module)) else { continue };
        for used in code(&text).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let used = if used.starts_with(|c: char| c.is_lowercase()) { &used } else { "root" };
            assert!(modules.contains(&used), "{file} uses {used}");
        }
    }
}

#[test]
fn no_source_file_is_longer_than_450_lines() {
    for (file, text) in sources() {
        assert!(text.lines().count() <= 450, "{file} has {} lines: split it", text.lines().count());
    }
}

//! The command line as scripts use it: one JSON object per photo, exit statuses, clear errors.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::program::{PROGRAM, command};
use crate::support::{folder, photo_with_a_face, photo_with_faces, photo_without_a_face};

fn faceguesser(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes a file and returns its path.
fn write(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn guess_prints_one_json_object_per_photo_with_the_documented_keys() {
    let folder = tempfile::tempdir().unwrap();
    let face = write(&folder, "face.jpg", photo_with_a_face());
    let plain = write(&folder, "plain.jpg", photo_without_a_face());
    let output = faceguesser(&["guess", "--json", &face, &plain]);
    assert_eq!(output.status.code(), Some(0), "a photo without a face is a success: {}", errors(&output));
    let [face_line, plain_line] = &lines(&output)[..] else { panic!("not two lines") };
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(face_line), sorted(&["photo", "width", "height", "cut_short", "faces", "error", "elapsed_ms"]));
    assert_eq!(
        (&face_line["photo"], &face_line["width"], &face_line["height"]),
        (&json!(face), &json!(640), &json!(480))
    );
    let found = &face_line["faces"][0];
    let wanted = [
        "box",
        "age",
        "age_low",
        "age_high",
        "age_told",
        "gender",
        "gender_probability",
        "gender_told",
        "smile",
        "smile_told",
        "confident",
        "age_confident",
        "gender_confident",
        "tips",
    ];
    assert_eq!(keys(found), sorted(&wanted));
    let [x, y, w, h] = [0, 1, 2, 3].map(|at| found["box"][at].as_f64().unwrap());
    assert!(x > 160.0 && y > 80.0 && x + w < 480.0 && y + h < 420.0 && w > 100.0, "{found}");
    let [low, age, high] = ["age_low", "age", "age_high"].map(|key| found[key].as_f64().unwrap());
    assert!(low < age && age < high, "{found}");
    assert!(["female", "male"].contains(&found["gender"].as_str().unwrap()));
    assert!((0.5..=1.0).contains(&found["gender_probability"].as_f64().unwrap()));
    assert_eq!((&plain_line["faces"], &plain_line["error"]), (&json!([]), &Value::Null));
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_photo_that_fails_is_reported_and_the_others_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let text = write(&folder, "text.jpg", "Just some words.\n");
    let face = write(&folder, "face.jpg", photo_with_a_face());
    let missing = folder.path().join("missing.jpg").to_str().unwrap().to_owned();
    let output = faceguesser(&["guess", "--json", &text, &missing, &face]);
    assert_eq!(output.status.code(), Some(1));
    let [text_line, missing_line, face_line] = &lines(&output)[..] else { panic!("not three lines") };
    assert!(text_line["error"].as_str().unwrap().contains("not a picture but"), "{text_line}");
    assert!(missing_line["error"].as_str().unwrap().contains("missing.jpg"), "{missing_line}");
    assert_eq!(face_line["faces"].as_array().unwrap().len(), 1);
}

#[test]
fn a_folder_stands_for_all_pictures_below_it() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "a.jpg", photo_without_a_face());
    write(&folder, "deep/er/b.JPG", photo_without_a_face());
    write(&folder, "notes.txt", "not a picture");
    let output = faceguesser(&["guess", "--json", folder.path().to_str().unwrap()]);
    assert_eq!((output.status.code(), lines(&output).len()), (Some(0), 2), "{}", errors(&output));
}

#[test]
fn invalid_usage_exits_with_two_and_an_explanation() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    let one = write(&folder, "deeper/one.jpg", photo_without_a_face());
    for arguments in [
        &["guess"][..],
        &["guess", "--jsno", &one],
        &["guess", &format!("{empty}/deeper/.."), "--annotate"],
        &["guess", "--annotate", "out.jpg", &one, &one],
        &["guess", "--annotate", "out.gif", &one],
        &["guess", "--annotate", "same.jpg", "--annotate", "same.jpg", &one],
        &["guess", "-", "-"],
        &["guess", "--lang", "tlh", &one],
        &["guess", "--annotate", &one, &one],
        &["gues"],
    ] {
        let output = faceguesser(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        assert!(!errors(&output).is_empty());
    }
    assert_eq!(std::fs::read(&one).unwrap(), photo_without_a_face(), "--annotate overwrote the photo");
}

#[cfg(unix)]
#[test]
fn a_folder_is_searched_through_links_and_what_cannot_be_read_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let photo = write(&other, "one.jpg", photo_without_a_face());
    std::os::unix::fs::symlink(&photo, folder.path().join("link.JPG")).unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let empty = write(&other, "empty/notes.txt", b"notes");
    let empty = std::path::Path::new(&empty).parent().unwrap().to_str().unwrap();
    let output = faceguesser(&["guess", "--json", folder.path().to_str().unwrap(), empty]);
    let answers = lines(&output);
    assert_eq!((output.status.code(), answers.len()), (Some(1), 2), "{answers:?}");
    assert!(errors(&output).contains("has no pictures"), "{}", errors(&output));
}

#[test]
fn annotate_writes_the_photo_with_its_boxes() {
    let folder = tempfile::tempdir().unwrap();
    let photo = write(&folder, "three.jpg", photo_with_faces(3));
    let target = folder.path().join("boxes.jpg");
    let output = faceguesser(&["guess", "--annotate", target.to_str().unwrap(), &photo]);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("I see 3 faces, numbered from left to right"));
    let drawn = image::open(&target).unwrap().to_rgb8();
    let ink = drawn.pixels().filter(|pixel| pixel[0] > 200 && pixel[1] > 160 && pixel[2] < 90).count();
    assert_eq!(drawn.dimensions(), (780, 400));
    assert!(ink > 1000, "only {ink} pixels of the boxes");
}

#[test]
fn annotated_pictures_have_the_format_of_their_ending_and_go_to_one_file_each_or_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let photo = write(&folder, "one.jpg", photo_with_a_face());
    let other = write(&folder, "deep/one.jpg", photo_with_a_face());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let guess = |arguments: &[&str]| {
        let output = faceguesser(&[&["guess"][..], arguments].concat());
        assert!(output.status.success(), "{}", errors(&output));
    };
    guess(&["--annotate", &path("a.png"), "--annotate", &path("a.webp"), &photo]);
    guess(&["--annotate", &path("first.jpg"), "--annotate", &path("second.JPEG"), &photo, &other]);
    guess(&["--annotate", &path("new/"), &photo, &other]);
    let format = |name: &str| image::ImageReader::open(path(name)).unwrap().with_guessed_format().unwrap().format();
    for (name, expected) in [
        ("a.png", image::ImageFormat::Png),
        ("a.webp", image::ImageFormat::WebP),
        ("second.JPEG", image::ImageFormat::Jpeg),
        ("new/one.jpg", image::ImageFormat::Jpeg),
        ("new/one-2.jpg", image::ImageFormat::Jpeg),
    ] {
        assert_eq!(format(name), Some(expected), "{name}");
    }
    let alone = folder.path().to_str().unwrap();
    let output = faceguesser(&["guess", &photo, "--annotate", alone]);
    assert_eq!(output.status.code(), Some(2), "the folder's picture is the photo itself");
    assert_eq!(std::fs::read(&photo).unwrap(), photo_with_a_face());
}

#[test]
fn a_photo_can_come_over_standard_input_and_its_answer_in_another_language() {
    let mut child = command()
        .args(["guess", "--lang", "de", "-"])
        .env("FACEGUESSER__GUESS__GENDER", "never")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&photo_with_a_face()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.starts_with("standard input: "), "{text}");
    assert!(text.contains("etwa") || text.contains("Jahre"), "{text}");
    assert!(!text.contains("Mann") && !text.contains("Frau"), "{text}");
}

#[test]
fn files_of_a_folder_that_are_not_pictures_are_named_unless_quiet() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "a.jpg", photo_without_a_face());
    write(&folder, "below/clip.mov", b"x");
    write(&folder, "raw.cr2", b"x");
    let path = folder.path().to_str().unwrap();
    let output = faceguesser(&["guess", path]);
    assert!(errors(&output).contains("2 files without a picture's ending are skipped: below/clip.mov, raw.cr2"));
    let output = faceguesser(&["guess", "--quiet", path]);
    assert_eq!((output.status.code(), errors(&output)), (Some(0), String::new()));
}

#[test]
fn completions_and_manual_pages_cover_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = faceguesser(&["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && script.contains("annotate") && script.contains("discord-token"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = faceguesser(&["man", "--out", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", errors(&output));
    for page in ["faceguesser.1", "faceguesser-guess.1", "faceguesser-init.1", "faceguesser-config-show.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
    let page = String::from_utf8(faceguesser(&["man"]).stdout).unwrap();
    assert!(page.to_lowercase().contains(".th faceguesser 1") && page.contains("\\-\\-config"), "{page}");
}

#[test]
fn a_release_names_its_commit_and_a_build_for_development_or_without_git_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("build-script");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "-o", script.to_str().unwrap(), "build.rs"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(compiled.unwrap().success());
    let sources = folder.path().join("sources");
    std::fs::create_dir(&sources).unwrap();
    let version = |profile: &str, variables: &[(&str, &str)]| {
        let mut command = Command::new(&script);
        command.current_dir(&sources).env("PROFILE", profile).env("CARGO_PKG_VERSION", "1.2.3");
        let output = command.env_remove("FACEGUESSER_COMMIT").envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=FACEGUESSER_VERSION="));
        (line.unwrap().to_owned(), text.contains("rerun-if-changed") && text.contains("logs/HEAD"))
    };
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(&sources).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(version("release", &[]).0, "1.2.3");
    assert_eq!(version("release", &[("FACEGUESSER_COMMIT", "0123456789abcdef")]).0, "1.2.3 (0123456789ab)");
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "one"]);
    let commit = git(&["rev-parse", "HEAD"])[..12].to_owned();
    assert_eq!(version("release", &[]), (format!("1.2.3 ({commit})"), true));
    assert_eq!(version("debug", &[]), ("1.2.3".into(), false));
    std::fs::remove_dir_all(sources.join(".git")).unwrap();
    let info = r#"{ "git": { "sha1": "fedcba9876543210" } }"#;
    std::fs::write(sources.join(".cargo_vcs_info.json"), info).unwrap();
    assert_eq!(version("release", &[]).0, "1.2.3 (fedcba987654)");
    let printed = String::from_utf8(faceguesser(&["--version"]).stdout).unwrap();
    assert!(printed.starts_with(concat!("faceguesser ", env!("CARGO_PKG_VERSION"))), "{printed}");
}

#[test]
fn an_aligned_crop_is_analysed_without_face_detection() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(&folder, "plain.jpg", photo_without_a_face());
    let output = faceguesser(&["guess", "--json", "--aligned", &plain]);
    let [line] = &lines(&output)[..] else { panic!("not one line") };
    assert_eq!(line["faces"].as_array().unwrap().len(), 1, "{line}");
}

#[test]
fn check_reports_what_is_on_and_off_and_names_an_invalid_setting() {
    let token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB";
    let mut command_with_token = command();
    command_with_token.env("FACEGUESSER__DISCORD__TOKEN", token).env("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0");
    let output = command_with_token.arg("check").output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}{}", errors(&output));
    for words in ["settings: valid", "bundled picture", "ok     Discord: on", "off    Telegram", "http://127.0.0.1:0/"]
    {
        assert!(report.contains(words), "{words} is missing in {report}");
    }
    assert!(!report.contains(token));
    let output = command().arg("check").env("FACEGUESSER__WEB__LISTNE", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("listne"), "{}", errors(&output));
}

#[test]
#[cfg(not(feature = "matrix"))]
fn a_build_without_matrix_says_so_if_there_is_an_account_also_one_with_a_password() {
    for secret in ["TOKEN", "PASSWORD"] {
        for arguments in [&["check"][..], &[]] {
            let mut command = command();
            command.args(arguments).env("FACEGUESSER__MATRIX__HOMESERVER", "https://matrix.example");
            command.env("FACEGUESSER__MATRIX__USER", "@faces:matrix.example");
            let output = command.env(format!("FACEGUESSER__MATRIX__{secret}"), "a secret").output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{secret}");
            assert!(errors(&output).contains("[matrix] is set") && errors(&output).contains("--features matrix"));
        }
    }
}

/// As on a full disk: under the shell's limit no file can be written.
#[cfg(target_os = "linux")]
#[test]
fn init_leaves_nothing_behind_where_the_settings_file_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh", PROGRAM, "init"]);
    shell.args(["--offline", "--telegram-token", "1234567890:AAabcdefghijklmnopqrstuvwxyz0123456"]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("cannot be written"), "{}", errors(&output));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_or_address_that_turns_out_to_be_unusable_is_named_with_the_place_that_sets_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("listen = \"{}\"", taken.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    for (command_name, section, setting) in [
        ("check", "models", "estimator = \"/nowhere/x\""),
        ("check", "models", "detector = \"Cargo.toml\""),
        ("run", "store", "path = \"/nowhere/x\""),
        ("run", "web", &taken),
    ] {
        let file = write(&folder, "mine.toml", format!("# Mine.\n[{section}]\n{setting}\n"));
        let mut command = command();
        command.env_remove("FACEGUESSER__STORE__PATH").args([command_name, "--config", &file]);
        let output = command.output().unwrap();
        let key = setting.split(' ').next().unwrap();
        let place = format!("{file}, line 3, {section}.{key}");
        assert_eq!(output.status.code(), Some(1), "{place}");
        assert!(errors(&output).contains(&place), "{place} is missing in {}", errors(&output));
    }
    let output = command().arg("check").env("FACEGUESSER__MODELS__ESTIMATOR", "Cargo.toml").output().unwrap();
    assert!(errors(&output).contains("the variable FACEGUESSER__MODELS__ESTIMATOR"), "{}", errors(&output));
}

#[test]
fn bench_reports_the_time_of_every_stage_and_refuses_a_file_that_is_no_photo() {
    let folder = tempfile::tempdir().unwrap();
    let face = write(&folder, "face.jpg", photo_with_a_face());
    let output = faceguesser(&["bench", "--json", "--seconds", "0.05", "--threads", "2", &face]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let [report] = &lines(&output)[..] else { panic!("not one line") };
    let photo = &report["photos"][0];
    assert_eq!((&photo["width"], &photo["height"], &photo["faces"]), (&json!(640), &json!(480), &json!(1)));
    let median = |value: &Value| value["median"].as_f64().filter(|median| *median > 0.0).unwrap();
    let stages = ["decode", "find", "cut", "estimate"].map(|stage| median(&photo["milliseconds"][stage]));
    let path_median = median(&photo["milliseconds"]["path"]);
    assert!(stages.iter().all(|stage| *stage < path_median), "{photo}");
    let batches: Vec<_> = report["forward"].as_array().unwrap().iter().map(|forward| &forward["batch"]).collect();
    assert_eq!(batches, [&json!(1), &json!(4), &json!(16)]);
    let threads: Vec<_> = report["throughput"].as_array().unwrap().iter().map(|entry| &entry["threads"]).collect();
    assert_eq!(threads, [&json!(1), &json!(2)]);
    let plain = write(&folder, "page.jpg", "<!doctype html>");
    let refused = faceguesser(&["bench", "--seconds", "0.05", &plain]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("page.jpg") && errors(&refused).contains("web page"), "{}", errors(&refused));
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "this build can use CUDA")]
fn a_device_that_this_build_does_not_support_is_named_with_the_cargo_feature() {
    let output = command().arg("check").env("FACEGUESSER__INFERENCE__DEVICE", "cuda").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("--features cuda"), "{}", errors(&output));
}

#[test]
fn help_names_every_command() {
    let output = faceguesser(&["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["run", "init", "guess", "check", "config", "bench", "completions", "man", "evaluate", "train"] {
        assert!(help.contains(&format!("\n  {name} ")), "{name} is missing in {help}");
    }
}

#[test]
#[cfg_attr(not(with_photos), ignore = "set FACEGUESSER_PHOTOS to the folder of the photographs")]
fn people_are_found_in_photographs_and_none_in_food_animals_and_landscapes() {
    let mut paths: Vec<String> = std::fs::read_dir(folder("FACEGUESSER_PHOTOS"))
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".jpg"))
        .collect();
    paths.sort();
    let mut arguments = vec!["guess", "--json"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = faceguesser(&arguments);
    assert_eq!(output.status.code(), Some(1), "one of them is no picture");
    for line in lines(&output) {
        let name = Path::new(line["photo"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
        let faces = line["faces"].as_array().unwrap();
        match name.as_str() {
            "not-an-image.jpg" => assert!(line["error"].as_str().unwrap().contains("not a picture but"), "{line}"),
            "person-crowd.jpg" | "person-group.jpg" => assert!(faces.len() >= 3, "{line}"),
            name if name.starts_with("person-") => assert_eq!(faces.len(), 1, "{line}"),
            _ => assert!(faces.is_empty() && line["error"].is_null(), "{line}"),
        }
        let gender = faces.first().map(|face| face["gender"].clone());
        match name.as_str() {
            "person-woman.jpg" => assert_eq!(gender, Some(json!("female"))),
            "person-man.jpg" => assert_eq!(gender, Some(json!("male"))),
            "person-baby.jpg" => assert!(faces[0]["age"].as_f64().unwrap() < 6.0, "{line}"),
            "person-child.jpg" => assert!(faces[0]["age"].as_f64().unwrap() < 16.0, "{line}"),
            _ => {}
        }
    }
}

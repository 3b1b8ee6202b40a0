//! The command line as scripts use it: one JSON object per photo, exit statuses, clear errors.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::program::command;
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
        &["guess", "--annotate", "out.png", &one],
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
fn an_aligned_crop_is_analysed_without_face_detection() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(&folder, "plain.jpg", photo_without_a_face());
    let output = faceguesser(&["guess", "--json", "--aligned", &plain]);
    let [line] = &lines(&output)[..] else { panic!("not one line") };
    assert_eq!(line["faces"].as_array().unwrap().len(), 1, "{line}");
}

#[test]
fn check_reports_what_is_on_and_off_and_names_an_invalid_setting() {
    let output = command().args(["check"]).env("FACEGUESSER__DISCORD__TOKEN", "s3cret").output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}{}", errors(&output));
    for words in ["configuration: valid", "bundled picture", "Discord: on", "Telegram: off", "http://127.0.0.1:8080/"] {
        assert!(report.contains(words), "{words} is missing in {report}");
    }
    assert!(!report.contains("s3cret"));
    let output = command().arg("check").env("FACEGUESSER__WEB__LISTNE", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("listne"), "{}", errors(&output));
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
    for name in ["run", "guess", "check", "bench", "evaluate", "train"] {
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

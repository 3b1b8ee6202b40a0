//! Evaluation and calibration on the command line, with weights from a short training run.

use std::path::Path;
use std::process::Command;

use faceguesser::model::calibration::Calibration;
use faceguesser::training::{TrainingOptions, train};
use serde_json::json;

use crate::support::program::PROGRAM;
use crate::support::{photo_with_a_face, tiny_photo};
use crate::training::{self, Scene, estimator};

#[test]
fn evaluation_prints_the_documented_keys_and_reports_skipped_files() {
    let scene = Scene::new();
    train(&TrainingOptions { stop_after: Some(1), ..scene.options("out") }).unwrap();
    std::fs::write(scene.path("val/notes.txt"), "not a picture").unwrap();
    let csv = scene.path("guesses.csv");
    let output = scene.evaluate(&["--json", "--predictions", csv.to_str().unwrap()]);
    assert!(output.status.success());
    let scores: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = [
        "age_mae",
        "age_mae_21_60",
        "gender_accuracy",
        "gender_accuracy_13_plus",
        "gender_ece",
        "interval_80_coverage",
        "interval_80_width_mean",
        "photos",
    ];
    for figures in [&scores, &scores["surest_70"], &scores["groups"][0], &scores["decades"][0]] {
        assert!(keys.iter().all(|key| figures.get(key).is_some()), "{figures}");
    }
    assert_eq!((&scores["photos"], &scores["surest_70"]["photos"]), (&json!(32), &json!(22)));
    let robustness = &scores["framing_robustness"];
    assert_eq!((&robustness["faces"], &robustness["views"]), (&json!(32), &json!(16)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 entries without a UTKFace file name"));
    let mut rows = csv::Reader::from_path(&csv).unwrap();
    assert_eq!(rows.headers().unwrap(), vec!["file", "age", "age_low", "age_high", "female_probability"]);
    let mut error_sum = 0.0;
    for row in rows.deserialize::<(String, f64, f64, f64, f64)>() {
        let (file, age, low, high, female) = row.unwrap();
        assert!(low < high && (0.0..=1.0).contains(&female), "{file}: {low} to {high}, {female}");
        error_sum += (age - file.split('_').next().unwrap().parse::<f64>().unwrap()).abs();
    }
    assert!((error_sum / 32.0 - scores["age_mae"].as_f64().unwrap()).abs() < 1e-3);
    // A picture that cannot be decoded is skipped, reported, and fails the command.
    std::fs::write(scene.path("val/30_1_0_9.jpg"), "this is text").unwrap();
    let output = scene.evaluate(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("30_1_0_9.jpg"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("gender accuracy"));
}

#[test]
fn a_report_is_a_page_with_every_metric_and_its_charts() {
    let scene = Scene::new();
    train(&TrainingOptions { stop_after: Some(1), ..scene.options("out") }).unwrap();
    let report = scene.path("report");
    let output = scene.evaluate(&["--report", report.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(report.join("index.html")).unwrap();
    for part in ["age error (MAE)", "0 to 9", "Asian, male", "hardest faces", "evaluate --aligned", "of 32"] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    let pictures: Vec<&str> = page.split("<img src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(pictures.len(), 3);
    for picture in pictures {
        assert!(image::open(report.join(picture)).unwrap().width() >= 1000, "{picture}");
    }
}

#[test]
fn weights_are_calibrated_on_given_faces_or_like_other_weights() {
    let scene = Scene::new();
    train(&TrainingOptions { stop_after: Some(1), ..scene.options("out") }).unwrap();
    scene.draw("mine", 200);
    let (weights, calibrated) = (scene.path("out/estimator.safetensors"), scene.path("calibrated.safetensors"));
    let calibrate = |options: &[&str], from: &Path, out: &Path| {
        let mut command = Command::new(PROGRAM);
        command.arg("calibrate").arg("--weights").arg(&weights).arg("--out").arg(out);
        let output = command.args(options).arg(from).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(calibrate(&["--data"], &scene.path("mine"), &calibrated).contains("measured on the other"));
    assert!(training::weights(&weights) == training::weights(&calibrated), "calibration changes no weights");
    let calibration = |path: &Path| estimator(path).calibration().clone();
    assert!(calibration(&weights) != calibration(&calibrated));

    let copied = scene.path("copied.safetensors");
    calibrate(&["--calibration-from"], &calibrated, &copied);
    assert_eq!(calibration(&copied), calibration(&calibrated));
    assert!(training::weights(&copied) == training::weights(&weights));

    let small = scene.path("small.safetensors");
    calibrate(&["--eight-bits", "--calibration-from"], &calibrated, &small);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&small) < size(&calibrated), "{} for {} bytes", size(&small), size(&calibrated));
    let crop: Vec<u8> = (0..128 * 128).map(|at| (at * 37 % 251) as u8).collect();
    let [one, other] = [&small, &calibrated].map(|path| estimator(path).estimate(&[&crop]).unwrap().remove(0));
    assert!((one.age() - other.age()).abs() < 1.0, "{} or {} years", one.age(), other.age());
}

#[test]
fn weights_trained_on_their_validation_faces_are_not_calibrated_on_them() {
    let scene = Scene::new();
    let base = || TrainingOptions { stop_after: Some(1), ..scene.options("alone") };
    let folders = vec![scene.path("train"), scene.path("val")];
    let both = TrainingOptions { train: folders, out: scene.path("both"), ..base() };
    for (options, calibrated) in [(base(), true), (both, false)] {
        train(&options).unwrap();
        let weights = options.out.join("estimator.safetensors");
        assert_eq!(*estimator(&weights).calibration() != Calibration::default(), calibrated);
        let mut command = Command::new(PROGRAM);
        command.args(["evaluate", "--aligned", "--json", "--weights"]).arg(&weights);
        let output = command.arg("--data").arg(scene.path("val")).output().unwrap();
        let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(figures["trained_on_validation"], !calibrated);
        let warned = String::from_utf8_lossy(&output.stderr).contains("learnt from their validation faces");
        assert_eq!(warned, !calibrated, "a warning comes with metrics on faces that the weights were trained on");
    }
    assert!(scene.weights("alone") != scene.weights("both"), "every --train folder is used");

    // Training that starts from such weights inherits the flag.
    let start_from = vec![scene.path("alone/estimator.safetensors"), scene.path("both/estimator.safetensors")];
    let later = TrainingOptions { start_from, out: scene.path("later"), ..base() };
    train(&later).unwrap();
    assert!(estimator(&later.out.join("estimator.safetensors")).trained_on_validation());
}

#[test]
fn face_detection_is_measured_on_labelled_scenes_and_its_mistakes_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("photos")).unwrap();
    std::fs::write(at("photos/one.jpg"), photo_with_a_face()).unwrap();
    std::fs::write(at("photos/two.jpg"), photo_with_a_face()).unwrap();
    std::fs::write(at("photos/empty.png"), tiny_photo()).unwrap();
    let run = |command: &str, arguments: &[&str]| {
        let output = Command::new(PROGRAM).arg(command).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let guess = run("guess", &["--json", at("photos/one.jpg").to_str().unwrap()]);
    let [x, y, w, h] = [0, 1, 2, 3].map(|at| guess["faces"][0]["box"][at].as_f64().unwrap());
    let row = |file: &str, x: f64| format!("photos/{file}.jpg,{x},{y},{w},{h}\n");
    // The second label is beside the face: one face missed, one extra box.
    std::fs::write(at("boxes.csv"), format!("file,x,y,w,h\n{}{}", row("one", x), row("two", x + 250.0))).unwrap();
    let report = at("report");
    let arguments = ["--scenes", folder.path().to_str().unwrap(), "--json", "--report", report.to_str().unwrap()];
    let scores = run("evaluate", &arguments);
    assert_eq!((&scores["photographs"], &scores["faces"], &scores["recall"]), (&json!(2), &json!(2), &json!(0.5)));
    assert_eq!(
        (&scores["extra_per_100"], &scores["nobody"], &scores["false_alarms"]),
        (&json!(50.0), &json!(1), &json!(0))
    );
    let sheet = image::open(report.join("scenes.png")).unwrap().to_rgb8();
    for colour in [[235, 50, 50], [245, 190, 30]] {
        assert!(sheet.pixels().any(|pixel| pixel.0 == colour), "{colour:?}");
    }
}

#[test]
fn the_report_on_photos_made_worse_shows_how_guesses_and_tips_change_with_each_flaw() {
    let folder = tempfile::tempdir().unwrap();
    let (photos, report) = (folder.path().join("photos"), folder.path().join("report"));
    std::fs::create_dir(&photos).unwrap();
    std::fs::write(photos.join("31_1_0_1.jpg"), photo_with_a_face()).unwrap();
    let arguments = ["--data", photos.to_str().unwrap(), "--degraded", "--json", "--report", report.to_str().unwrap()];
    let output = Command::new(PROGRAM).arg("evaluate").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&rows[0]["degradation"], &rows[0]["faces"]), (&json!("untouched"), &json!(1)));
    let darkest = rows.iter().find(|row| row["degradation"] == "dark" && row["strength"] == 1.0).unwrap();
    assert_eq!((&darkest["tip"], &darkest["sure"]), (&json!(1.0), &json!(0.0)), "{darkest}");
    let page = std::fs::read_to_string(report.join("index.html")).unwrap();
    for part in ["made worse", "cutoff", "By race label", "evaluate --data"] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    for picture in ["sure.png", "tips.png", "errors.png", "coverage.png"] {
        assert!(image::open(report.join(picture)).unwrap().width() >= 1000, "{picture}");
    }
}

#[test]
fn photos_made_worse_need_one_folder_with_file_names_that_say_the_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("31_1_0_1.jpg"), photo_with_a_face()).unwrap();
    let refused = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(["evaluate", "--degraded"]).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("--degraded takes one --data folder"), "{told}");
    };
    refused(&["--data", path, "--data", path]);
    std::fs::write(folder.path().join("labels.csv"), "file,age\n31_1_0_1.jpg,31\n").unwrap();
    refused(&["--data", path]);
}

#[test]
fn with_likelier_teenagers_the_same_weights_guess_younger() {
    let folder = tempfile::tempdir().unwrap();
    let (photo, weights) = (folder.path().join("face.jpg"), folder.path().join("weights.safetensors"));
    std::fs::write(&photo, photo_with_a_face()).unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/models/estimator.safetensors");
    let calibrate = |factor: &str| {
        let arguments = ["calibrate", "--calibration-from", shipped, "--teenagers", factor, "--eight-bits", "--out"];
        Command::new(PROGRAM).args(arguments).arg(&weights).output().unwrap()
    };
    let output = calibrate("10");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let age = |weights: &str| {
        let mut command = Command::new(PROGRAM);
        command.env("FACEGUESSER__MODELS__ESTIMATOR", weights).args(["guess", "--json"]).arg(&photo);
        let answer: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        answer["faces"][0]["age"].as_f64().unwrap()
    };
    let (before, after) = (age(shipped), age(weights.to_str().unwrap()));
    assert!(after < before && after > 10.0, "{before} {after}");
    let output = calibrate("0");
    assert!(String::from_utf8_lossy(&output.stderr).contains("give a factor of 0.1 to 10"));
}

#[test]
fn several_sets_are_measured_in_one_table_and_calibrated_together() {
    let scene = Scene::new();
    train(&TrainingOptions { stop_after: Some(1), ..scene.options("out") }).unwrap();
    scene.draw("listed/crops", 60);
    let mut names: Vec<String> = std::fs::read_dir(scene.path("listed/crops"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let row = |name: &String| {
        let mut parts = name.split('_').map(|part| part.parse::<u32>().unwrap_or_default());
        let (age, gender) = (parts.next().unwrap(), parts.next().unwrap());
        let bin = if age >= 70 { "70+".to_owned() } else { format!("{}-{}", age / 10 * 10, age / 10 * 10 + 9) };
        format!("crops/{name},{bin},{},Martian\n", ["Male", "Female"][gender as usize])
    };
    let rows: String = names.iter().map(row).collect();
    std::fs::write(scene.path("listed/labels.csv"), format!("file,age,gender,race\n{rows}")).unwrap();
    let (csv, report) = (scene.path("all.csv"), scene.path("report"));
    let listed = scene.path("listed");
    let sets = ["--data", listed.to_str().unwrap()];
    let files = ["--predictions", csv.to_str().unwrap(), "--report", report.to_str().unwrap()];
    let output = scene.evaluate(&[&sets[..], &files, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let [named, binned] = [0, 1].map(|index| &summary["sets"][index]);
    assert!(named["set"].as_str().unwrap().ends_with("val") && binned["set"].as_str().unwrap().ends_with("listed"));
    let group = |set: &serde_json::Value, name: &str| {
        set["groups"].as_array().unwrap().iter().find(|group| group["group"] == name).cloned().unwrap()
    };
    let (exact, bins) = (group(named, "all"), group(binned, "all"));
    assert_eq!((&exact["faces"], &bins["faces"]), (&json!(32), &json!(60)));
    assert!(exact["age_mae"].is_f64() && exact["interval_80_coverage"].is_f64() && exact["right_bin"].is_null());
    assert!(bins["age_mae"].is_null() && bins["right_bin"].is_f64() && bins["gender_accuracy_20_plus"].is_f64());
    assert!(exact["smile_accuracy"].is_null(), "neither the sets nor the weights know of smiles");
    assert_eq!(group(binned, "Martian")["faces"], 60);
    assert_eq!(group(binned, "70 and more")["kind"], "bin");
    assert_eq!(csv::Reader::from_path(&csv).unwrap().records().count(), 92);
    let page = std::fs::read_to_string(report.join("index.html")).unwrap();
    for part in ["on 2 data sets", "Martian", "70 and more", "coverage of the 80 % range", "evaluate --aligned"] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    assert!(exact["sure"].is_f64() && bins["sure"].is_null());
    for picture in ["ages.png", "ranges.png"] {
        assert!(image::open(report.join(picture)).unwrap().width() >= 1000, "{picture}");
    }
    let table = String::from_utf8(scene.evaluate(&sets).stdout).unwrap();
    assert!(table.contains("20 to 29") && table.contains("13 to 17 called 18 or more"), "{table}");

    let (weights, calibrated) = (scene.path("out/estimator.safetensors"), scene.path("calibrated.safetensors"));
    let mut command = Command::new(PROGRAM);
    command.arg("calibrate").arg("--weights").arg(&weights).arg("--out").arg(&calibrated);
    let output = command.arg("--data").arg(scene.path("val")).args(sets).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Martian"));
    assert!(training::weights(&weights) == training::weights(&calibrated), "calibration changes no weights");
    assert!(estimator(&weights).calibration() != estimator(&calibrated).calibration());

    std::fs::write(scene.path("listed/labels.csv"), "file,age\nx.png,old\n").unwrap();
    let output = scene.evaluate(&sets);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("\"old\" is neither"));
}

//! Whether the maps of explanations are faithful: what they mark matters, they depend on the weights, votes sum to the
//! logit, and a map that does not stand still says so. And what the command and the endpoint answer.

use std::collections::HashMap;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use candle_core::Tensor;
use faceguesser::Guesser;
use faceguesser::explain::occlusion::{Area, GRID, changes, patch};
use faceguesser::explain::picture::{mirrored, shifted};
use faceguesser::explain::{ExplainError, Explanation, Occlusion, Votes, explain, rank_correlation};
use faceguesser::face::{CropFrame, FaceCrop};
use faceguesser::model::calibration::Calibration;
use faceguesser::model::estimator::{self, Estimator};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::support::program::PROGRAM;
use crate::support::{crops, file, mean_face, photo_with_a_face, photo_without_a_face};

/// Cells that are covered together in the first check.
const CELLS: usize = 10;

fn guesser() -> &'static Guesser {
    static GUESSER: OnceLock<Guesser> = OnceLock::new();
    GUESSER.get_or_init(|| Guesser::builtin().unwrap())
}

/// UTKFace's validation faces as the network gets them: standardised crops of 128×128 pixels.
fn faces(count: usize) -> Vec<Vec<f32>> {
    let crop = |bytes: &[u8]| {
        let luma = image::load_from_memory(bytes).unwrap().to_luma8();
        FaceCrop::cut(&luma, &CropFrame::whole(&luma)).standardise()
    };
    crops("val", count).iter().map(|(_, bytes)| crop(bytes)).collect()
}

fn mean(values: impl IntoIterator<Item = f32>) -> f32 {
    let values: Vec<f32> = values.into_iter().collect();
    values.iter().sum::<f32>() / values.len() as f32
}

/// The votes of a face's cells for the year that it is guessed at.
fn age_votes(estimator: &Estimator, picture: &[f32], year: usize) -> Votes {
    let output = estimator.output("age", year).unwrap();
    let maps = |picture: &[f32]| [picture.to_vec(), mirrored(picture)].map(|one| estimator.read_out(&one).unwrap());
    let ([face, turned], [moved, moved_turned]) = (maps(picture), maps(&shifted(picture)));
    Votes::count(&output, [&face, &turned], [&moved, &moved_turned])
}

#[test]
#[cfg_attr(not(with_data), ignore = "set FACEGUESSER_DATA to the folder of the data sets")]
fn covering_the_strongest_cells_moves_the_age_more_than_covering_random_ones() {
    let estimator = guesser().estimator();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut strongest_years, mut random_years, mut won) = (Vec::new(), Vec::new(), 0);
    let faces = faces(50);
    for picture in &faces {
        let map = Occlusion::measure(estimator, picture).unwrap();
        let mut cells: Vec<usize> = (0..GRID * GRID).collect();
        cells.sort_by(|one, other| map.years[*other].abs().total_cmp(&map.years[*one].abs()));
        let cover = |cells: &[usize]| -> Vec<Area> { cells.iter().map(|cell| patch(*cell)).collect() };
        let mut covers = vec![cover(&cells[..CELLS])];
        for _ in 0..5 {
            cells.shuffle(&mut random);
            covers.push(cover(&cells[..CELLS]));
        }
        let (_, years) = changes(estimator, picture, covers).unwrap();
        let (strongest, others) = (years[0].abs(), mean(years[1..].iter().map(|years| years.abs())));
        won += usize::from(strongest > others);
        strongest_years.push(strongest);
        random_years.push(others);
    }
    let (strongest, random) = (mean(strongest_years), mean(random_years));
    println!("strongest cells: {strongest:.2} years, random ones {random:.2}; more in {won} of {} faces", faces.len());
    assert!(strongest > 1.3 * random && won * 3 > faces.len() * 2);
}

/// The network with the values of each of its weights shuffled: as large, and without anything that was learnt.
fn shuffled(seed: u64) -> Estimator {
    let original = guesser().estimator();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shuffled = |tensor: &Tensor| {
        let mut values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        values.shuffle(&mut random);
        Tensor::from_vec(values, tensor.shape(), tensor.device()).unwrap()
    };
    let mut tensors = HashMap::new();
    for unit in original.architecture().units() {
        let (weight, bias) = original.unit(&unit.name).unwrap();
        let bias = Tensor::new(bias, weight.device()).unwrap();
        tensors.insert(format!("{}.weight", unit.name), shuffled(weight));
        tensors.insert(format!("{}.bias", unit.name), shuffled(&bias));
    }
    for head in original.heads().unwrap() {
        tensors.insert(format!("{}.weight", head.name), shuffled(&head.weight));
        tensors.insert(format!("{}.bias", head.name), shuffled(&head.bias));
    }
    Estimator::from_tensors(original.architecture().clone(), &tensors, Calibration::default()).unwrap()
}

#[test]
#[cfg_attr(not(with_data), ignore = "set FACEGUESSER_DATA to the folder of the data sets")]
fn with_random_weights_the_maps_lose_their_likeness() {
    let (mut covered, mut voted) = (Vec::new(), Vec::new());
    let estimator = guesser().estimator();
    for (seed, picture) in faces(20).iter().enumerate() {
        let random = shuffled(seed as u64);
        let (map, random_map) = (Occlusion::measure(estimator, picture), Occlusion::measure(&random, picture));
        let map = map.unwrap();
        covered.push(rank_correlation(&map.years, &random_map.unwrap().years));
        let year = map.age.round() as usize;
        let votes = |network: &Estimator| age_votes(network, picture, year).cells;
        voted.push(rank_correlation(&votes(estimator), &votes(&random)));
    }
    let (covered, voted) = (mean(covered), mean(voted));
    println!("rank correlation with the map of random weights: covered {covered:.2}, votes {voted:.2}");
    assert!(covered.abs() < 0.3 && voted.abs() < 0.3);
}

#[test]
#[cfg_attr(not(with_data), ignore = "set FACEGUESSER_DATA to the folder of the data sets")]
fn the_votes_sum_to_the_logit_of_the_guess() {
    let estimator = guesser().estimator();
    let mut worst = 0.0f32;
    for picture in faces(50) {
        let turned = mirrored(&picture);
        let (face, mirror) = (estimator.read_out(&picture).unwrap(), estimator.read_out(&turned).unwrap());
        for (head, index) in [("age", 30), ("age", 0), ("age", 100), ("gender", 0)] {
            let output = estimator.output(head, index).unwrap();
            let votes = Votes::count(&output, [&face, &mirror], [&face, &mirror]);
            let logits = [&face, &mirror].map(|one| match head {
                "age" => one.age_logits[index] - mean(one.age_logits.iter().copied()),
                _ => one.gender_logit,
            });
            let sum = votes.cells.iter().sum::<f32>() + votes.bias;
            worst = worst.max((sum - mean(logits)).abs()).max((votes.logit - sum).abs());
        }
    }
    println!("the votes miss the logit by {worst:.1e} at most");
    assert!(worst < 1e-3);
}

#[test]
#[cfg_attr(not(with_data), ignore = "set FACEGUESSER_DATA to the folder of the data sets")]
fn a_map_that_a_shift_of_one_pixel_changes_is_called_shaky() {
    let estimator = guesser().estimator();
    let (mut covered, mut voted, mut shaky) = (Vec::new(), Vec::new(), [0, 0]);
    let faces = faces(20);
    for picture in &faces {
        let map = Occlusion::measure(estimator, picture).unwrap();
        let votes = age_votes(estimator, picture, map.age.round() as usize);
        // The whole map after the shift, of which the explanation measures a quarter.
        let whole = Occlusion::measure(estimator, &shifted(picture)).unwrap();
        let correlation = rank_correlation(&map.years, &whole.years);
        assert!(map.is_shaky() == (map.rank_correlation <= 0.8) && votes.is_shaky() == (votes.rank_correlation <= 0.8));
        assert!((correlation - map.rank_correlation).abs() < 0.25, "{correlation} for {}", map.rank_correlation);
        shaky[0] += usize::from(map.is_shaky());
        shaky[1] += usize::from(votes.is_shaky());
        covered.push(correlation);
        voted.push(votes.rank_correlation);
    }
    let (covered, voted) = (mean(covered), mean(voted));
    println!("after a shift: covered {covered:.2} ({} shaky), votes {voted:.2} ({} shaky)", shaky[0], shaky[1]);
    assert!(covered > 0.8 && voted > 0.8);
}

fn assert_complete(explanation: &Explanation) {
    let at_work = &explanation.at_work;
    let products: Vec<f32> = at_work.inputs.iter().zip(at_work.weights).map(|(input, weight)| input * weight).collect();
    assert_eq!(products, at_work.products);
    let first = &explanation.strongest[0];
    // The sum at this place is the value in the map.
    assert!((at_work.output - first.peak).abs() < 1e-3, "{} {}", at_work.output, first.peak);
    assert!(explanation.strongest.len() == 8 && explanation.strongest.windows(2).all(|two| two[0].mean >= two[1].mean));
    assert_eq!((explanation.age_votes.cells.len(), explanation.occlusion.years.len()), (16, GRID * GRID));
    assert_eq!((explanation.framings().len(), explanation.changes.len()), (4, 36));
    assert!(explanation.changes.windows(2).all(|two| two[0].distance <= two[1].distance));
}

#[test]
fn a_face_is_explained_within_a_second_and_one_that_is_not_there_is_refused() {
    let photo = photo_with_a_face();
    explain(guesser(), &photo, 0).unwrap();
    let started = Instant::now();
    let explanation = explain(guesser(), &photo, 0).unwrap();
    println!("explained in {:?}", started.elapsed());
    assert_complete(&explanation);
    let guess = guesser().guess(&photo).unwrap();
    assert_eq!(explanation.face, guess.faces[0]);
    assert_eq!(explain(guesser(), &photo, 1).unwrap_err(), ExplainError::NoSuchFace { faces: 1 });
    assert_eq!(explain(guesser(), &photo_without_a_face(), 0).unwrap_err(), ExplainError::NoSuchFace { faces: 0 });
    assert!(matches!(explain(guesser(), b"text", 0), Err(ExplainError::Guess(_))));
}

#[test]
fn the_same_face_in_an_animation_or_at_the_edge_is_explained_as_well() {
    // Most of the frame lies outside the photo.
    let mut edge = image::GrayImage::from_pixel(400, 300, image::Luma([150]));
    let face = image::imageops::resize(&mean_face(), 240, 240, image::imageops::FilterType::Triangle);
    image::imageops::overlay(&mut edge, &face, -20, -20);
    let explanation = explain(guesser(), &crate::support::jpeg(&edge), 0).unwrap();
    assert_complete(&explanation);
    let estimator = Estimator::from_safetensors(estimator::embedded()).unwrap();
    // A flat picture has no peaks and no ranks.
    let flat = Occlusion::measure(&estimator, &[0.0; 128 * 128]).unwrap();
    assert!(flat.is_shaky() && flat.years.iter().all(|years| years.abs() < 1e-3));
}

#[test]
#[cfg_attr(not(with_photos), ignore = "set FACEGUESSER_PHOTOS to the folder of photographs")]
fn the_command_writes_a_picture_of_each_part_a_small_card_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let (photo, out) = (folder.path().join("woman.jpg"), folder.path().join("out"));
    std::fs::write(&photo, file("FACEGUESSER_PHOTOS", "person-woman.jpg")).unwrap();
    let run = |options: &[&str]| Command::new(PROGRAM).arg("explain").arg(&photo).args(options).output().unwrap();
    let output = run(&["--json", "--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sum: f64 = json["votes"]["age"]["cells"].as_array().unwrap().iter().map(|cell| cell.as_f64().unwrap()).sum();
    let votes = &json["votes"]["age"];
    assert!((sum + votes["bias"].as_f64().unwrap() - votes["logit"].as_f64().unwrap()).abs() < 1e-3, "{votes}");
    assert_eq!(json["numbers"]["first_row"].as_array().unwrap().len(), 128);
    assert_eq!(json["change"]["framings"].as_array().unwrap().len(), 5);
    for name in ["1-numbers.png", "2-filter.png", "3-votes.png", "4-ages.png", "5-change.png"] {
        let picture = image::open(out.join(name)).unwrap();
        assert!(picture.width() == 900 && picture.height() > 200, "{name}: {} pixels high", picture.height());
    }
    for name in ["card-1.jpg", "card-2.jpg"] {
        let card = image::open(out.join(name)).unwrap();
        // Telegram shrinks the longer side to 1,280 pixels; text must remain readable on a phone of 330 pixels.
        let telegram = 1280.0 / f64::from(card.height().max(card.width())) * f64::from(card.width());
        println!("{name}: {} × {}, on Telegram {telegram:.0} pixels wide", card.width(), card.height());
        assert!(card.width() == 900 && telegram > 480.0, "{name}: {telegram} pixels wide");
        assert!(std::fs::metadata(out.join(name)).unwrap().len() <= 1_000_000);
    }
    // The alternative text names the chart's peak.
    let shares = json["vote"]["probabilities"].as_array().unwrap().iter().enumerate();
    let peak = shares.max_by(|one, other| one.1.as_f64().unwrap().total_cmp(&other.1.as_f64().unwrap())).unwrap().0;
    let alternative_text = std::fs::read_to_string(out.join("card-2.txt")).unwrap();
    assert!(alternative_text.contains(&format!("highest at {peak};")), "{alternative_text}");
    let output = run(&["--json", "--face", "2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has only one face"));
    assert_eq!(run(&["--face", "0", "--json"]).status.code(), Some(2));
    assert_eq!(run(&[]).status.code(), Some(2), "it needs --out or --json");
}

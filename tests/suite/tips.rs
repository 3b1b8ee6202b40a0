//! What is said about real faces whose photos are made worse in known ways: fewer are sure, and the tips name
//! what was done.

use faceguesser::evaluation::confidence::{Observation, degradation_figures, observe};
use faceguesser::evaluation::degradation::Degradation;
use faceguesser::evaluation::utkface::labelled_folder;
use faceguesser::face::{FaceFinder, FinderOptions};
use faceguesser::model::detector::{self, Detector};
use faceguesser::model::estimator::{self, Estimator};

use crate::support::crops;

const FACES: usize = 24;
const THRESHOLD: f32 = 0.5;

#[test]
#[cfg_attr(not(with_data), ignore = "set FACEGUESSER_DATA to the folder of the data sets")]
fn tips_name_what_was_done_to_a_photo_and_fewer_guesses_are_sure_the_worse_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, jpeg) in crops("val", FACES) {
        std::fs::write(folder.path().join(name), jpeg).unwrap();
    }
    let files = labelled_folder(folder.path()).unwrap().files;
    let estimator = Estimator::from_safetensors(estimator::embedded()).unwrap();
    let finder = FaceFinder::new(Detector::from_safetensors(detector::embedded()).unwrap(), FinderOptions::default());
    let observations = observe(&files, &estimator, &finder, &[0.5, 1.0]).unwrap();
    let rows = degradation_figures(&observations, estimator.calibration(), THRESHOLD);

    let untouched = &rows[0];
    assert!(untouched.faces >= FACES * 9 / 10 && (0.5..=0.9).contains(&untouched.sure), "{untouched:?}");
    assert!(untouched.tip <= 0.05, "{untouched:?}");
    for degradation in Degradation::ALL {
        let name = format!("{degradation:?}").to_lowercase();
        let curve: Vec<_> = rows.iter().filter(|row| row.degradation == name).collect();
        let [half, full] = curve.as_slice() else { panic!("{name} is not measured twice") };
        // By two faces.
        let slack = 2.0 / FACES as f64;
        assert!(untouched.sure + slack >= half.sure && half.sure + slack >= full.sure, "{curve:?}");
        assert!(full.sure <= 0.2 && full.tip >= 0.85, "{full:?}");
    }
    let strongest: Vec<&Observation> = observations.iter().filter(|one| is_strongest(one)).collect();
    let right = strongest.iter().filter(|one| one.degradation.is_some_and(|(way, _)| one.flaws.contains(&way.flaw())));
    assert!(right.count() * 10 >= strongest.len() * 9);
}

fn is_strongest(observation: &Observation) -> bool {
    observation.degradation.is_some_and(|(_, strength)| strength == 1.0)
}

//! Figures of one network on several data sets: per set, and within it per age, gender and race.

use std::path::PathBuf;

use serde::Serialize;

use super::sets::{AgeLabel, LabelledFace, LabelledSet};
use super::{Bin, EvaluationError, coverage, likelier_bins};
use crate::face::FaceCrop;
use crate::model::ModelError;
use crate::model::calibration::RawAnswer;
use crate::model::estimator::{Estimate, Estimator};

use super::measure::{Answers, answers};

/// The network's answers to the pictures of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct SetMeasurement {
    /// The folder as it was named.
    pub name: String,
    /// The labels and the uncalibrated answer of each face.
    pub faces: Vec<(LabelledFace, RawAnswer)>,
    /// Pictures in which no face was found.
    pub faceless: Vec<PathBuf>,
    /// Pictures that could not be read, each with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The number of entries without a label.
    pub other_entries: usize,
}

impl SetMeasurement {
    /// Runs the network over `set`; `crop` as in [`measure`](super::measure()).
    ///
    /// # Errors
    /// [`EvaluationError::Model`] when the network fails, [`EvaluationError::Folder`] when no picture could
    /// be measured.
    pub fn new(
        set: &LabelledSet,
        estimator: &Estimator,
        crop: impl Fn(&image::GrayImage) -> Result<Option<FaceCrop>, ModelError> + Sync,
    ) -> Result<Self, EvaluationError> {
        let Answers { answered, faceless, unreadable } = answers(&set.faces, |face| &face.path, estimator, crop)?;
        if answered.is_empty() {
            let reason = "none of its pictures is readable and shows a face".to_owned();
            return Err(EvaluationError::Folder { path: PathBuf::from(&set.name), reason });
        }
        let (name, other_entries) = (set.name.clone(), set.other_entries);
        Ok(Self { name, faces: answered, faceless, unreadable, other_entries })
    }

    /// The figures of calibrated answers, one for each of [`Self::faces`]; ages are sure from a confidence of
    /// `confident` on.
    pub fn figures(&self, estimates: &[Estimate], confident: f32) -> SetFigures {
        let faces: Vec<Face<'_>> = self.faces.iter().map(|(face, _)| face).zip(estimates).collect();
        SetFigures {
            set: self.name.clone(),
            faceless: self.faceless.len(),
            unreadable: self.unreadable.len(),
            other_entries: self.other_entries,
            groups: groups(&faces, confident),
        }
    }
}

/// A face with its labels, and the calibrated answer.
type Face<'a> = (&'a LabelledFace, &'a Estimate);

/// All figures of one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetFigures {
    /// The folder as it was named.
    pub set: String,
    /// The number of pictures in which no face was found.
    pub faceless: usize,
    /// The number of pictures that could not be read.
    pub unreadable: usize,
    /// The number of entries without a label.
    pub other_entries: usize,
    /// All faces first, then by age, gender, race and smile.
    pub groups: Vec<GroupFigures>,
}

/// What a group has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// The whole set.
    All,
    /// A decade of exact ages.
    Decade,
    /// A bin of ages that the set labels.
    Bin,
    /// Ages of 13 to 17.
    Teenagers,
    /// A labelled gender.
    Gender,
    /// A labelled race.
    Race,
    /// Whether they smile.
    Smile,
}

/// The figures of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFigures {
    /// What its faces have in common.
    pub kind: GroupKind,
    /// The group in words, such as "20 to 29".
    pub group: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures over a group of faces; absent where none of them has the label. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    /// The number of faces.
    pub faces: usize,
    /// Mean absolute error over exact ages, years.
    pub age_mae: Option<f64>,
    /// Mean of predicted minus true age over exact ages, years.
    pub age_bias: Option<f64>,
    /// Share of the faces with a bin whose predicted age, rounded to whole years, is in it.
    pub right_bin: Option<f64>,
    /// Share of faces whose likelier gender is the labelled one.
    pub gender_accuracy: Option<f64>,
    /// The same over faces labelled 13 or more; a bin counts if it begins there or later.
    pub gender_accuracy_13_plus: Option<f64>,
    /// The same from 20 on.
    pub gender_accuracy_20_plus: Option<f64>,
    /// Share of the exact ages from 13 to 17 that are predicted as 18 or more, in whole years.
    pub teenagers_called_adults: Option<f64>,
    /// Share of faces labelled 25 or more that are predicted as less than 18, in whole years.
    pub adults_called_minors: Option<f64>,
    /// Share of exact ages inside the 80 % interval.
    pub interval_80_coverage: Option<f64>,
    /// Mean width of that interval over exact ages, years.
    pub interval_80_width_mean: Option<f64>,
    /// Share of exact ages whose guess is sure by its confidence, whatever flaws the photo has.
    pub sure: Option<f64>,
    /// Mean absolute error of the sure guesses over that of the unsure ones.
    pub sure_error_ratio: Option<f64>,
    /// Share of faces whose likelier answer about the smile is the labelled one.
    pub smile_accuracy: Option<f64>,
    /// Expected calibration error of the smile's probability, over 15 equal-width bins.
    pub smile_ece: Option<f64>,
    /// Share of faces whose smile replies mention by default.
    pub smile_told: Option<f64>,
    /// Share of those that are labelled as smiling.
    pub smile_told_accuracy: Option<f64>,
}

fn groups(faces: &[Face<'_>], confident: f32) -> Vec<GroupFigures> {
    let mut groups = Vec::new();
    let mut add = |kind: GroupKind, group: &str, is_member: &dyn Fn(&LabelledFace) -> bool| {
        let members: Vec<Face<'_>> = faces.iter().copied().filter(|(face, _)| is_member(face)).collect();
        if !members.is_empty() {
            groups.push(GroupFigures { kind, group: group.to_owned(), figures: figures(&members, confident) });
        }
    };
    add(GroupKind::All, "all", &|_| true);
    for decade in 0..12 {
        let (first, last) = (decade as f32 * 10.0, decade as f32 * 10.0 + 9.0);
        let is_member =
            |face: &LabelledFace| face.age.and_then(AgeLabel::years).is_some_and(|age| (first..=last).contains(&age));
        add(GroupKind::Decade, &format!("{first} to {last}"), &is_member);
    }
    let mut bins: Vec<(usize, usize)> = Vec::new();
    for (face, _) in faces {
        if let Some(AgeLabel::Bin(first, last)) = face.age {
            bins.push((first, last));
        }
    }
    bins.sort_unstable();
    bins.dedup();
    for (first, last) in bins {
        let name = if last == 100 { format!("{first} and more") } else { format!("{first} to {last}") };
        add(GroupKind::Bin, &name, &|face| face.age == Some(AgeLabel::Bin(first, last)));
    }
    add(GroupKind::Teenagers, "13 to 17", &is_teenager);
    add(GroupKind::Gender, "female", &|face| face.female == Some(true));
    add(GroupKind::Gender, "male", &|face| face.female == Some(false));
    let mut races: Vec<&String> = faces.iter().filter_map(|(face, _)| face.race.as_ref()).collect();
    races.sort_unstable();
    races.dedup();
    for race in races {
        add(GroupKind::Race, race, &|face| face.race.as_ref() == Some(race));
    }
    add(GroupKind::Smile, "smiling", &|face| face.smile == Some(true));
    add(GroupKind::Smile, "not smiling", &|face| face.smile == Some(false));
    groups
}

fn is_teenager(face: &LabelledFace) -> bool {
    face.age.and_then(AgeLabel::years).is_some_and(|age| (13.0..=17.0).contains(&age))
}

fn figures(faces: &[Face<'_>], confident: f32) -> Figures {
    let exact = |value: &dyn Fn(&Estimate, f32) -> f64| {
        mean(faces.iter().filter_map(|(face, estimate)| Some(value(estimate, face.age?.years()?))))
    };
    // Whole years, as replies say them.
    let said = |estimate: &Estimate| estimate.age().round();
    let gender_from = |least: f32| {
        mean(faces.iter().filter_map(|(face, estimate)| {
            let female = face.female.filter(|_| least == 0.0 || face.age.is_some_and(|age| age.least() >= least))?;
            Some(share((estimate.female_probability >= 0.5) == female))
        }))
    };
    let is_sure = |estimate: &Estimate| estimate.confidence() >= confident;
    let error_where = |sure: bool| {
        let members = faces.iter().filter(|(_, estimate)| is_sure(estimate) == sure);
        mean(members.filter_map(|(face, estimate)| Some((estimate.age() - face.age?.years()?).abs().into())))
    };
    let smiles: Vec<(f32, bool, bool)> = faces
        .iter()
        .filter_map(|(face, estimate)| Some((estimate.smile_probability?, face.smile?, estimate.reports_smile())))
        .collect();
    let told = smiles.iter().filter(|(_, _, told)| *told);
    Figures {
        faces: faces.len(),
        age_mae: exact(&|estimate, age| (estimate.age() - age).abs().into()),
        age_bias: exact(&|estimate, age| (estimate.age() - age).into()),
        right_bin: mean(faces.iter().filter_map(|(face, estimate)| match face.age? {
            AgeLabel::Bin(first, last) => Some(share((first as f32..=last as f32).contains(&said(estimate)))),
            AgeLabel::Years(_) => None,
        })),
        gender_accuracy: gender_from(0.0),
        gender_accuracy_13_plus: gender_from(13.0),
        gender_accuracy_20_plus: gender_from(20.0),
        teenagers_called_adults: mean(
            faces.iter().filter(|(face, _)| is_teenager(face)).map(|(_, estimate)| share(said(estimate) >= 18.0)),
        ),
        adults_called_minors: mean(faces.iter().filter_map(|(face, estimate)| {
            face.age.filter(|age| age.least() >= 25.0).map(|_| share(said(estimate) < 18.0))
        })),
        interval_80_coverage: exact(&|estimate, age| coverage(estimate.age_interval.0, estimate.age_interval.1, age)),
        interval_80_width_mean: exact(&|estimate, _| (estimate.age_interval.1 - estimate.age_interval.0).into()),
        sure: exact(&|estimate, _| share(is_sure(estimate))),
        sure_error_ratio: error_where(true).zip(error_where(false)).map(|(sure, unsure)| sure / unsure),
        smile_accuracy: mean(smiles.iter().map(|(probability, smile, _)| share((*probability >= 0.5) == *smile))),
        smile_ece: (!smiles.is_empty()).then(|| {
            let bins = likelier_bins(smiles.iter().map(|(probability, smile, _)| (*probability, *smile)));
            bins.iter().map(Bin::gap).sum::<f64>() / smiles.len() as f64
        }),
        smile_told: mean(smiles.iter().map(|(_, _, told)| share(*told))),
        smile_told_accuracy: mean(told.map(|(_, smile, _)| share(*smile))),
    }
}

fn share(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// `None` for no values.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// A column of the table of figures: a short and a long heading, and a group's value.
pub type Column = (&'static str, &'static str, fn(&Figures) -> Option<String>);

/// The columns of the table of figures; a value without a figure is `None`.
pub const COLUMNS: [Column; 16] = [
    ("faces", "faces", |figures| Some(figures.faces.to_string())),
    ("MAE", "age error (MAE), years", |figures| decimal(figures.age_mae)),
    ("bias", "predicted minus true age, years", |figures| figures.age_bias.map(|years| format!("{years:+.2}"))),
    ("bin", "age in the right bin", |figures| percent(figures.right_bin)),
    ("gender", "gender accuracy", |figures| percent(figures.gender_accuracy)),
    ("13+", "gender accuracy from 13 on", |figures| percent(figures.gender_accuracy_13_plus)),
    ("20+", "gender accuracy from 20 on", |figures| percent(figures.gender_accuracy_20_plus)),
    ("teens", "13 to 17 called 18 or more", |figures| percent(figures.teenagers_called_adults)),
    ("minors", "25 and more called minors", |figures| percent(figures.adults_called_minors)),
    ("in 80", "coverage of the 80 % range", |figures| percent(figures.interval_80_coverage)),
    ("width", "mean width of that range, years", |figures| decimal(figures.interval_80_width_mean)),
    ("sure", "ages that are sure, whatever flaws the photo has", |figures| percent(figures.sure)),
    ("ratio", "age error of the sure over that of the unsure", |figures| decimal(figures.sure_error_ratio)),
    ("smile", "smile accuracy", |figures| percent(figures.smile_accuracy)),
    ("ECE", "calibration error of the smile", |figures| figures.smile_ece.map(|ece| format!("{ece:.4}"))),
    ("told", "accuracy of mentioned smiles", |figures| percent(figures.smile_told_accuracy)),
];

fn decimal(value: Option<f64>) -> Option<String> {
    value.map(|value| format!("{value:.2}"))
}

fn percent(value: Option<f64>) -> Option<String> {
    value.map(|share| format!("{:.1} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(age: Option<AgeLabel>, female: Option<bool>, smile: Option<bool>) -> LabelledFace {
        LabelledFace { path: PathBuf::new(), age, female, race: None, smile }
    }

    fn estimate(age: usize, female_probability: f32, smile: f32) -> Estimate {
        let mut age_probabilities = [0.0; 101];
        age_probabilities[age] = 1.0;
        let age_interval = (age as f32 - 2.0, age as f32 + 2.0);
        Estimate {
            age_probabilities,
            female_probability,
            smile_probability: Some(smile),
            age_interval,
            usual_width: 10.0,
        }
    }

    #[test]
    fn figures_match_a_hand_computed_example() {
        let labels = [
            face(Some(AgeLabel::Years(15.0)), Some(true), None),
            face(Some(AgeLabel::Years(30.0)), Some(true), None),
            face(Some(AgeLabel::Bin(20, 29)), Some(false), None),
            face(Some(AgeLabel::Bin(30, 39)), Some(false), None),
            face(None, None, Some(true)),
            face(None, None, Some(false)),
        ];
        let estimates = [
            estimate(19, 0.9, 0.0),
            Estimate { age_interval: (20.0, 40.0), ..estimate(31, 0.3, 0.0) },
            estimate(29, 0.4, 0.0),
            estimate(16, 0.2, 0.0),
            estimate(50, 0.5, 0.95),
            estimate(50, 0.5, 0.6),
        ];
        let faces: Vec<Face<'_>> = labels.iter().zip(&estimates).collect();
        let of = figures(&faces, 0.5);
        assert_eq!((of.age_mae, of.age_bias, of.right_bin), (Some(2.5), Some(2.5), Some(0.5)));
        assert_eq!((of.gender_accuracy, of.gender_accuracy_20_plus), (Some(0.75), Some(2.0 / 3.0)));
        assert_eq!((of.teenagers_called_adults, of.adults_called_minors), (Some(1.0), Some(0.5)));
        assert_eq!((of.interval_80_coverage, of.interval_80_width_mean), (Some(0.5), Some(12.0)));
        assert_eq!((of.sure, of.sure_error_ratio), (Some(0.5), Some(4.0)));
        assert_eq!((of.smile_accuracy, of.smile_told, of.smile_told_accuracy), (Some(0.5), Some(0.5), Some(1.0)));
        // Gaps of 0.05 and 0.6, each of one of two faces.
        assert!((of.smile_ece.unwrap() - 0.325).abs() < 1e-6);
        let names: Vec<String> = groups(&faces, 0.5).into_iter().map(|group| group.group).collect();
        let wanted = [
            "all",
            "10 to 19",
            "30 to 39",
            "20 to 29",
            "30 to 39",
            "13 to 17",
            "female",
            "male",
            "smiling",
            "not smiling",
        ];
        assert_eq!(names, wanted);
        assert_eq!(figures(&faces[4..], 0.5).gender_accuracy, None);
    }
}

//! Labelled pictures of any of the data sets: by file name (UTKFace, All-Age-Faces), or by a `labels.csv`
//! (FairFace, Images of Groups, GENKI-4K).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::EvaluationError;
use super::utkface::{RACES, labelled_folder};

/// The file that lists the pictures of a folder and their labels.
const LABELS: &str = "labels.csv";

/// A labelled age.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AgeLabel {
    /// Whole years.
    Years(f32),
    /// From the first year to the last, inclusive; a last year of 100 means no upper end.
    Bin(usize, usize),
}

impl AgeLabel {
    /// Parses years (`31`) or a bin (`20-29`, `70+`).
    pub fn parse(text: &str) -> Option<Self> {
        let year = |text: &str| text.parse::<usize>().ok();
        if let Some(first) = text.strip_suffix('+') {
            return Some(Self::Bin(year(first).filter(|first| *first <= 100)?, 100));
        }
        match text.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (year(first)?, year(last)?);
                (first <= last && last <= 100).then_some(Self::Bin(first, last))
            }
            None => Some(Self::Years(year(text).filter(|age| *age <= 120)? as f32)),
        }
    }

    /// The exact age in years.
    pub fn years(self) -> Option<f32> {
        match self {
            Self::Years(age) => Some(age),
            Self::Bin(..) => None,
        }
    }

    /// The least age in years.
    pub fn least(self) -> f32 {
        match self {
            Self::Years(age) => age,
            Self::Bin(first, _) => first as f32,
        }
    }
}

/// One picture and its labels; those that its data set does not have are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFace {
    /// The path of the file.
    pub path: PathBuf,
    /// The age, exact or a bin.
    pub age: Option<AgeLabel>,
    /// Whether the gender is female; otherwise it is male.
    pub female: Option<bool>,
    /// The race, in the data set's own words.
    pub race: Option<String>,
    /// Whether the person smiles.
    pub smile: Option<bool>,
}

/// The pictures of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledSet {
    /// The folder as it was named.
    pub name: String,
    /// In the order of the file names or of `labels.csv`.
    pub faces: Vec<LabelledFace>,
    /// The number of entries without a label in their names; 0 with a `labels.csv`.
    pub other_entries: usize,
}

/// Whether a folder's labels are in a `labels.csv`.
pub fn has_labels_file(folder: &Path) -> bool {
    folder.join(LABELS).is_file()
}

/// Lists the labelled pictures of a folder: those of its `labels.csv`, whose columns are `file` and one or
/// more of `age`, `gender`, `race` and `smile`, or else those with UTKFace file names.
///
/// # Errors
/// [`EvaluationError::Folder`] when it cannot be read or says nothing about any picture.
pub fn labelled_set(folder: &Path) -> Result<LabelledSet, EvaluationError> {
    let name = folder.display().to_string();
    if has_labels_file(folder) {
        return Ok(LabelledSet { name, faces: listed_faces(folder)?, other_entries: 0 });
    }
    let named = labelled_folder(folder)?;
    let faces = named.files.into_iter().map(|file| LabelledFace {
        path: file.path,
        age: Some(AgeLabel::Years(file.label.age)),
        female: Some(file.label.female),
        race: file.race.map(|index| RACES[index].to_owned()),
        smile: None,
    });
    Ok(LabelledSet { name, faces: faces.collect(), other_entries: named.other_entries })
}

#[derive(Deserialize)]
struct Row {
    file: PathBuf,
    age: Option<String>,
    gender: Option<String>,
    race: Option<String>,
    smile: Option<String>,
}

/// The faces that a folder's `labels.csv` lists.
///
/// # Errors
/// [`EvaluationError::Folder`] when there is no such file, or it says nothing about any picture.
pub fn listed_faces(folder: &Path) -> Result<Vec<LabelledFace>, EvaluationError> {
    let invalid = |reason: String| EvaluationError::Folder {
        path: folder.to_owned(),
        reason: format!("has a {LABELS} that cannot be used: {reason}"),
    };
    let mut reader = csv::Reader::from_path(folder.join(LABELS)).map_err(|error| invalid(error.to_string()))?;
    let rows: Vec<Row> = reader.deserialize().collect::<Result<_, _>>().map_err(|error| invalid(error.to_string()))?;
    let face = |row: Row| -> Result<LabelledFace, EvaluationError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let either = |text: Option<String>, yes: &str, no: &str| match given(text) {
            Some(text) if text.eq_ignore_ascii_case(yes) => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case(no) => Ok(Some(false)),
            Some(text) => Err(invalid(format!("{text:?} is neither {yes} nor {no}"))),
            None => Ok(None),
        };
        let age = given(row.age).map(|text| {
            AgeLabel::parse(&text).ok_or_else(|| invalid(format!("{text:?} is neither an age nor an age bin")))
        });
        Ok(LabelledFace {
            path: folder.join(row.file),
            age: age.transpose()?,
            female: either(row.gender, "female", "male")?,
            race: given(row.race),
            smile: either(row.smile, "yes", "no")?,
        })
    };
    let faces = rows.into_iter().map(face).collect::<Result<Vec<_>, _>>()?;
    let is_labelled = |face: &LabelledFace| face.age.is_some() || face.female.is_some() || face.smile.is_some();
    if !faces.iter().any(is_labelled) {
        return Err(invalid("it has no row with an age, gender or smile".into()));
    }
    Ok(faces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_years_or_bins_that_include_their_last_year() {
        assert_eq!(AgeLabel::parse("31"), Some(AgeLabel::Years(31.0)));
        assert_eq!(AgeLabel::parse("0-2"), Some(AgeLabel::Bin(0, 2)));
        assert_eq!(AgeLabel::parse("70+"), Some(AgeLabel::Bin(70, 100)));
        assert_eq!(["9-3", "x", "3-", "101+", "999", "-"].map(AgeLabel::parse), [None; 6]);
    }

    #[test]
    fn a_labels_file_may_leave_out_labels_but_not_invent_them() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(folder.path().join(LABELS), text).unwrap();
            labelled_set(folder.path())
        };
        let set = read("file,age,gender,race\na.jpg,20-29,female,Black\nb.jpg,70+,,\n").unwrap();
        let [first, second] = set.faces.as_slice() else { panic!("{set:?}") };
        assert_eq!((first.age, first.female), (Some(AgeLabel::Bin(20, 29)), Some(true)));
        assert_eq!((first.race.as_deref(), first.smile), (Some("Black"), None));
        assert_eq!((second.female, second.race.as_deref()), (None, None));
        assert_eq!(second.path, folder.path().join("b.jpg"));
        assert_eq!(read("file,smile\na.webp,yes\nb.webp,no\n").unwrap().faces[1].smile, Some(false));
        for (text, problem) in [
            ("file,age\na.jpg,old\n", "\"old\" is neither an age nor an age bin"),
            ("file,gender\na.jpg,x\n", "\"x\" is neither female nor male"),
            ("file,smile\na.jpg,perhaps\n", "\"perhaps\" is neither yes nor no"),
            ("age\n31\n", "missing field `file`"),
            ("file\na.jpg\n", "no row with an age, gender or smile"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(LABELS), "{error}");
        }
    }
}

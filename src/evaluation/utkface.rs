//! Labelled crops on disk, by UTKFace's file names: `AGE_GENDER_RACE_TIME.jpg`.

use std::path::{Path, PathBuf};

use super::{EvaluationError, Label};

/// UTKFace's race labels in the order of their numbers; the labels are the data set's own.
pub const RACES: [&str; 5] = ["White", "Black", "Asian", "Indian", "Others"];

/// One picture and what its name says.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFile {
    pub path: PathBuf,
    pub label: Label,
    /// Index into [`RACES`]; some names of the data set lack it.
    pub race: Option<usize>,
}

/// A folder's pictures, sorted by name.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFolder {
    pub path: PathBuf,
    pub files: Vec<LabelledFile>,
    /// Other entries that lie there.
    pub others: usize,
}

/// Age, gender (0 is male) and race in a UTKFace file name.
pub fn parse_name(name: &str) -> Option<(Label, Option<usize>)> {
    let mut parts = name.split('_');
    let age: u32 = parts.next()?.parse().ok().filter(|age| *age <= 120)?;
    let female = match parts.next()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let race = parts.next()?.parse().ok().filter(|race| *race < RACES.len());
    Some((Label { age: age as f32, female }, race))
}

/// Reads the names in `folder`.
///
/// # Errors
/// [`EvaluationError::Folder`] when it cannot be read or holds no such picture.
pub fn labelled_folder(folder: &Path) -> Result<LabelledFolder, EvaluationError> {
    let unusable = |reason: String| EvaluationError::Folder { path: folder.to_owned(), reason };
    let entries = std::fs::read_dir(folder).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    let mut files = Vec::new();
    let mut others = 0;
    for entry in entries {
        let path = entry.map_err(|error| unusable(error.to_string()))?.path();
        match path.file_name().and_then(|name| name.to_str()).and_then(parse_name) {
            Some((label, race)) => files.push(LabelledFile { path, label, race }),
            None => others += 1,
        }
    }
    if files.is_empty() {
        return Err(unusable(format!(
            "holds no picture named as UTKFace names them (AGE_GENDER_RACE_TIME.jpg, such as 31_1_2_2017.jpg), \
             only {others} other entries; give the folder that holds the crops themselves"
        )));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(LabelledFolder { path: folder.to_owned(), files, others })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_from_names() {
        let label = |age, female| Label { age, female };
        assert_eq!(parse_name("31_1_2_2017.jpg.chip.jpg"), Some((label(31.0, true), Some(2))));
        assert_eq!(parse_name("0_0_0_1.jpg"), Some((label(0.0, false), Some(0))));
        // Three pictures of the data set lack their race.
        assert_eq!(parse_name("61_1_20170109142408075.jpg"), Some((label(61.0, true), None)));
        for wrong in ["31_3_2_2017.jpg", "x_1_2_3.jpg", "31_1.jpg", "999_1_2_3.jpg", "readme.txt", ""] {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }
}

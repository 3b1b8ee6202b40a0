//! Folders of labelled crops with UTKFace file names: `AGE_GENDER_RACE_TIME.jpg`.

use std::path::{Path, PathBuf};

use super::{EvaluationError, Label};

/// The data set's own race labels, in the order of their numbers.
pub const RACES: [&str; 5] = ["White", "Black", "Asian", "Indian", "Others"];

/// One picture and the labels in its file name.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFile {
    /// The path of the file.
    pub path: PathBuf,
    /// Age and gender.
    pub label: Label,
    /// Index into [`RACES`]; absent from some of the data set's file names.
    pub race: Option<usize>,
}

/// A folder's pictures, sorted by name.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFolder {
    /// The path of the folder.
    pub path: PathBuf,
    /// The pictures, sorted by path.
    pub files: Vec<LabelledFile>,
    /// The number of entries with other names.
    pub other_entries: usize,
}

/// Parses age, gender (0 is male) and race from a UTKFace file name.
pub fn parse_file_name(name: &str) -> Option<(Label, Option<usize>)> {
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

/// Lists the labelled pictures in `folder`.
///
/// # Errors
/// [`EvaluationError::Folder`] when it cannot be read or contains no such picture.
pub fn labelled_folder(folder: &Path) -> Result<LabelledFolder, EvaluationError> {
    let folder_error = |reason: String| EvaluationError::Folder { path: folder.to_owned(), reason };
    let entries = std::fs::read_dir(folder).map_err(|error| folder_error(format!("cannot be read: {error}")))?;
    let mut files = Vec::new();
    let mut other_entries = 0;
    for entry in entries {
        let path = entry.map_err(|error| folder_error(error.to_string()))?.path();
        match path.file_name().and_then(|name| name.to_str()).and_then(parse_file_name) {
            Some((label, race)) => files.push(LabelledFile { path, label, race }),
            None => other_entries += 1,
        }
    }
    if files.is_empty() {
        return Err(folder_error(format!(
            "contains no picture with a UTKFace file name (AGE_GENDER_RACE_TIME.jpg, such as 31_1_2_2017.jpg), \
             only {other_entries} other entries; pass the folder that contains the crops themselves"
        )));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(LabelledFolder { path: folder.to_owned(), files, other_entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_parsed_from_file_names() {
        let label = |age, female| Label { age, female };
        assert_eq!(parse_file_name("31_1_2_2017.jpg.chip.jpg"), Some((label(31.0, true), Some(2))));
        assert_eq!(parse_file_name("0_0_0_1.jpg"), Some((label(0.0, false), Some(0))));
        // Three pictures of the data set have no race label.
        assert_eq!(parse_file_name("61_1_20170109142408075.jpg"), Some((label(61.0, true), None)));
        for wrong in ["31_3_2_2017.jpg", "x_1_2_3.jpg", "31_1.jpg", "999_1_2_3.jpg", "readme.txt", ""] {
            assert_eq!(parse_file_name(wrong), None, "{wrong}");
        }
    }
}

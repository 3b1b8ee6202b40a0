//! Where `guess --annotate` writes which picture, and in which format. Never over a photo.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use image::ImageFormat;

/// The formats of annotated pictures, by the endings of their names.
const FORMATS: [(&[&str], ImageFormat); 3] = [
    (&["jpg", "jpeg", "jpe", "jfif"], ImageFormat::Jpeg),
    (&["png"], ImageFormat::Png),
    (&["webp"], ImageFormat::WebP),
];

/// A file to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) format: ImageFormat,
}

/// The files to write for each photo (`None` is standard input). One photo is written to all `targets`; of several
/// photos each has its own, in order, or all go into one folder, as JPEGs under their names.
///
/// # Errors
/// What is wrong with the targets, as a sentence.
pub(super) fn plan(targets: &[PathBuf], photos: &[Option<&Path>]) -> Result<Vec<Vec<Target>>, String> {
    let planned: Vec<Vec<PathBuf>> = match targets {
        [] => return Ok(vec![Vec::new(); photos.len()]),
        [folder] if is_folder(folder) => {
            let mut names = HashSet::new();
            photos.iter().map(|photo| vec![folder.join(unused(*photo, &mut names))]).collect()
        }
        targets if photos.len() == 1 => vec![targets.to_vec()],
        targets if targets.len() == photos.len() => targets.iter().map(|target| vec![target.clone()]).collect(),
        targets => {
            return Err(format!(
                "--annotate: there are {} photos and {} files to write: name a file for each photo, or one folder \
                 (ending in /)",
                photos.len(),
                targets.len()
            ));
        }
    };
    let mut written = HashSet::new();
    for path in planned.iter().flatten() {
        if photos.iter().flatten().any(|photo| is_same(photo, path)) {
            return Err(format!("--annotate would overwrite the photo {}: name another file", path.display()));
        }
        if !written.insert(path) {
            return Err(format!("--annotate would write {} twice", path.display()));
        }
    }
    let target = |path: PathBuf| match format(&path) {
        Some(format) => Ok(Target { path, format }),
        None => Err(format!("--annotate {}: the name has to end in .jpg, .png or .webp", path.display())),
    };
    planned.into_iter().map(|paths| paths.into_iter().map(target).collect()).collect()
}

fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with(std::path::is_separator)
}

/// The name of a photo's annotated picture that no other photo has.
fn unused(photo: Option<&Path>, names: &mut HashSet<String>) -> String {
    let stem = photo.and_then(Path::file_stem).map_or_else(|| "photo".into(), |stem| stem.to_string_lossy());
    let name = |number: usize| if number == 1 { format!("{stem}.jpg") } else { format!("{stem}-{number}.jpg") };
    (1..).map(name).find(|name| names.insert(name.clone())).unwrap_or_default()
}

fn format(path: &Path) -> Option<ImageFormat> {
    let ending = super::guess::extension(path)?;
    FORMATS.iter().find(|(endings, _)| endings.contains(&ending.as_str())).map(|(_, format)| *format)
}

/// Whether both are one file, perhaps under two names.
fn is_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) {
        use std::os::unix::fs::MetadataExt;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(targets: &[&str], photos: &[&str]) -> Result<Vec<Vec<String>>, String> {
        let targets: Vec<PathBuf> = targets.iter().map(PathBuf::from).collect();
        let photos: Vec<Option<&Path>> = photos.iter().map(|photo| Some(Path::new(*photo))).collect();
        let name = |target: Target| target.path.display().to_string();
        plan(&targets, &photos)
            .map(|all| all.into_iter().map(|targets| targets.into_iter().map(name).collect()).collect())
    }

    #[test]
    fn one_photo_goes_to_all_files_and_several_to_one_each_or_to_a_folder() {
        assert_eq!(planned(&["x.jpg", "x.PNG"], &["a.jpg"]).unwrap(), [vec!["x.jpg", "x.PNG"]]);
        assert_eq!(planned(&["x.jpg", "y.webp"], &["a.jpg", "b.jpg"]).unwrap(), [vec!["x.jpg"], vec!["y.webp"]]);
        assert_eq!(planned(&["out/"], &["a.png", "in/a.jpg"]).unwrap(), [vec!["out/a.jpg"], vec!["out/a-2.jpg"]]);
        for wrong in [&["x.jpg", "y.jpg"][..], &["x.gif"], &["x"]] {
            assert!(planned(wrong, if wrong.len() == 1 { &["a"] } else { &["a", "b", "c"] }).is_err(), "{wrong:?}");
        }
        assert!(planned(&["x.jpg", "x.jpg"], &["a.jpg"]).unwrap_err().contains("twice"));
    }
}

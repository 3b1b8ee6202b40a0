//! Numbers and errors to sentences: what is seen, how sure that is, and what would help.

use crate::face::Flaw;
use crate::inference::{Analysis, FaceAnalysis, InferenceError};
use crate::photo::{DownloadError, PhotoError};

/// Why a photo gets a kind sentence in place of a guess.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The file could not be fetched.
    #[error(transparent)]
    Download(DownloadError),
    /// The photo could not be answered.
    #[error(transparent)]
    Inference(InferenceError),
    /// The platform hands bots no file of this size.
    #[error("the platform gives bots no file over {limit} bytes")]
    PlatformLimit { limit: u64 },
    /// The command or message came without a picture.
    #[error("no picture came with the message")]
    NoPhoto,
}

impl Problem {
    /// Whether the fault lies with this program or its host rather than with the photo.
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Download(DownloadError::Failed { .. } | DownloadError::TimedOut { .. })
                | Self::Inference(InferenceError::Failed(_) | InferenceError::Expired(_) | InferenceError::Overloaded)
        )
    }
}

/// Below this age the guess of a gender is close to a coin toss (about 60 to 70 % right on the
/// validation faces), so the words leave it out.
const SMALL_CHILD: f32 = 4.0;
/// Below this probability the gender of a child is left out as well: what is likelier there is wrong
/// in about one of three cases.
const CHILDS_GENDER: f32 = 0.7;
/// From this age on a child whose gender is left out is a young person.
const TEENAGER: f32 = 13.0;
/// Below this age people are called girls and boys.
const GROWN_UP: f32 = 17.0;

/// The text for an analysed photo, at most `max_characters` long.
pub fn guess(analysis: &Analysis, confident: f32, max_characters: usize) -> String {
    match analysis.faces.as_slice() {
        [] => "I can't find a face in this picture. Tip: send a photo in which one face is turned to the camera, \
               well lit and at least as large as a thumbnail; cropping closer to it often helps."
            .to_owned(),
        [face] => single(face, confident),
        faces => several(faces, confident, max_characters),
    }
}

/// The texts of one message's photos as one text.
pub fn numbered_photos(texts: &[&str]) -> String {
    match texts {
        [] => problem(&Problem::NoPhoto),
        [text] => (*text).to_owned(),
        texts => {
            let lines = texts.iter().enumerate().map(|(index, text)| format!("Photo {}: {text}", index + 1));
            lines.collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// What the bot is for; `how` says how to use it on the platform.
pub fn help(how: &str) -> String {
    format!(
        "Hi! Send me a photo of a face and I guess how old the person looks, whether a man or a woman, and how sure I \
         am.\n\n{how}\n\nFor a good guess: one face, turned to the camera, well lit, with a little room around \
         it.\n\nI am a small neural network that looks at 128×128 grey pixels and learnt from some ten thousand \
         faces: a guess about looks, not a fact about a person. /privacy says what happens to your photo."
    )
}

/// What happens to photos and other data.
pub fn privacy() -> String {
    "Your photo is looked at in the memory of the computer that hosts me and then forgotten: it is not stored, not \
     used for training and not sent to anyone. Nothing else is kept about you either. The log of my host counts \
     photos and faces and holds no pictures, names or messages. The platform you write on has its own rules for \
     what is sent there."
        .to_owned()
}

/// Whether a guess is told as sure: the estimate's score reaches the threshold.
pub fn is_sure(face: &FaceAnalysis, confident: f32) -> bool {
    face.estimate.confidence() >= confident
}

/// One sentence for each thing that would help; none for a sure guess.
pub fn tips(face: &FaceAnalysis, confident: f32) -> Vec<String> {
    if is_sure(face, confident) {
        return Vec::new();
    }
    if face.flaws.is_empty() {
        return vec![
            "Try another photo: face to the camera, even light, nothing covering eyes or mouth; some faces simply \
             look like several ages."
                .to_owned(),
        ];
    }
    face.flaws.iter().map(|flaw| tip(*flaw).to_owned()).collect()
}

/// What the annotated picture shows, for those who do not see it.
pub fn alternative_text(analysis: &Analysis, confident: f32) -> String {
    let lines: Vec<String> = analysis
        .faces
        .iter()
        .enumerate()
        .map(|(index, face)| format!("box {}: {}", index + 1, line(face, confident)))
        .collect();
    clipped(&format!("The photo with a box around each face; {}.", lines.join("; ")), 1000)
}

/// The sentence for a problem, with a next step.
pub fn problem(problem: &Problem) -> String {
    match problem {
        Problem::NoPhoto => "I see no picture there. Attach a photo, or use the command in reply to one.".into(),
        Problem::PlatformLimit { limit } => format!(
            "That file is too large: bots here may fetch files of at most {}. Send it as a photo instead of a file, \
             or a smaller version.",
            megabytes(*limit)
        ),
        Problem::Download(error) => download(error),
        Problem::Inference(InferenceError::Photo(error)) => photo(error),
        Problem::Inference(InferenceError::Unreadable(reason)) => format!("I can't open that file: {reason}."),
        Problem::Inference(InferenceError::Overloaded) => {
            "I'm busy with other photos right now. Please try again shortly.".into()
        }
        Problem::Inference(InferenceError::Expired(_)) => {
            "That took too long, so I gave up on it. Please try again, perhaps with a smaller picture.".into()
        }
        Problem::Inference(InferenceError::Stopped) => {
            "I'm just being restarted. Please send it again in a minute.".into()
        }
        Problem::Inference(InferenceError::Failed(_)) => {
            "Something went wrong on my side with this picture. Please try another one.".into()
        }
    }
}

fn download(error: &DownloadError) -> String {
    match error {
        DownloadError::TooLarge { limit } => too_large(*limit),
        DownloadError::Gone { .. } => "That file is no longer there. Please send the photo again.".into(),
        DownloadError::ForeignHost => "I only fetch photos that were uploaded here. Please attach the photo.".into(),
        DownloadError::TimedOut { .. } | DownloadError::Failed { .. } => {
            "I couldn't fetch that photo. Please send it again in a moment.".into()
        }
    }
}

fn photo(error: &PhotoError) -> String {
    match error {
        PhotoError::Empty => "That file is empty. Please send the photo again.".into(),
        PhotoError::NotAPicture { what } => {
            format!("That's not a picture but {what}. Please send a photo: JPEG, PNG, WebP or GIF.")
        }
        PhotoError::Unsupported { format } => {
            format!("I can't read {format} pictures yet. Please send it as JPEG, PNG, WebP or GIF; a screenshot works.")
        }
        PhotoError::Truncated => {
            "That picture is cut short: the upload stopped before its end. Please send it again.".into()
        }
        PhotoError::Damaged { format } => {
            format!("That {format} picture is damaged and can't be read. Please save it anew or send another one.")
        }
        PhotoError::TooManyBytes { limit, .. } => too_large(*limit),
        PhotoError::TooManyPixels { width, height, limit } => format!(
            "That picture is too large: {width}×{height} pixels, and I take up to {} megapixels. Please send a \
             smaller version.",
            limit / 1_000_000
        ),
    }
}

fn too_large(limit: u64) -> String {
    format!("That file is too large: I take photos of up to {}. Please send a smaller version.", megabytes(limit))
}

fn megabytes(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KB", bytes >> 10) } else { format!("{} MB", bytes >> 20) }
}

fn single(face: &FaceAnalysis, confident: f32) -> String {
    if is_sure(face, confident) {
        return format!("Looks like {}.", person(face));
    }
    format!("I'm not sure, but my guess is {}. Tip: {}", person(face), tips(face, confident).join(" "))
}

fn several(faces: &[FaceAnalysis], confident: f32, max_characters: usize) -> String {
    let mut text = format!("I see {} faces, numbered from left to right:", faces.len());
    // Room for the closing line that says how many are left out.
    let room = max_characters.saturating_sub(40);
    let mut length = text.chars().count();
    for (index, face) in faces.iter().enumerate() {
        let next = format!("\n{}. {}", index + 1, line(face, confident));
        length += next.chars().count();
        if length > room {
            text += &format!("\n… and {} more.", faces.len() - index);
            return clipped(&text, max_characters);
        }
        text += &next;
    }
    text
}

fn line(face: &FaceAnalysis, confident: f32) -> String {
    if is_sure(face, confident) {
        return person(face);
    }
    let why = match face.flaws.first() {
        Some(flaw) => format!(", {}", reason(*flaw)),
        None => String::new(),
    };
    format!("{} (unsure{why})", person(face))
}

fn person(face: &FaceAnalysis) -> String {
    let age = face.estimate.age();
    let (low, high) = face.estimate.age_interval;
    let female = face.estimate.female_probability >= 0.5;
    let unclear = face.estimate.female_probability.max(1.0 - face.estimate.female_probability) < CHILDS_GENDER;
    let who = match (age, female) {
        (age, _) if age < SMALL_CHILD => "a small child",
        (age, _) if age < TEENAGER && unclear => "a child",
        (age, _) if age < GROWN_UP && unclear => "a young person",
        (age, true) if age < GROWN_UP => "a girl",
        (age, false) if age < GROWN_UP => "a boy",
        (_, true) => "a woman",
        (_, false) => "a man",
    };
    format!("{who} of about {age:.0} (likely {low:.0} to {high:.0})")
}

fn clipped(text: &str, max_characters: usize) -> String {
    if text.chars().count() <= max_characters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max_characters.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// What to do about a flaw, as one sentence.
fn tip(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::TooSmall => "The face is small in the picture: crop closer to it or step nearer.",
        Flaw::CutOff => "Part of the face is outside the picture: leave some room around it.",
        Flaw::Turned => "The face is turned away: look straight into the camera.",
        Flaw::Dark => "The face is dark: turn towards a window or a lamp.",
        Flaw::Bright => "The face is washed out: avoid harsh light and flash.",
        Flaw::Blurred => "The face is blurred: hold the camera still, or send the original instead of a copy.",
    }
}

/// The same as a few words behind a numbered line.
fn reason(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::TooSmall => "small in the picture",
        Flaw::CutOff => "cut off",
        Flaw::Turned => "turned away",
        Flaw::Dark => "dark",
        Flaw::Bright => "washed out",
        Flaw::Blurred => "blurred",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Bounds, CropFrame};
    use crate::model::estimator::Estimate;

    /// A face around `age` years, sure of both or of neither.
    fn face(age: usize, female: f32, spread: usize, flaws: &[Flaw]) -> FaceAnalysis {
        let years = age.saturating_sub(spread)..=age + spread;
        let share = 1.0 / years.clone().count() as f32;
        let age_probabilities = std::array::from_fn(|year| if years.contains(&year) { share } else { 0.0 });
        let reach = 0.8 * spread as f32;
        let age_interval = (age as f32 - reach, age as f32 + reach);
        FaceAnalysis {
            bounds: Bounds { x: 0.0, y: 0.0, w: 10.0, h: 10.0 },
            frame: CropFrame { center_x: 5.0, center_y: 5.0, side: 10.0, roll: 0.0 },
            estimate: Estimate { age_probabilities, female_probability: female, age_interval },
            flaws: flaws.to_vec(),
        }
    }

    fn analysis(faces: Vec<FaceAnalysis>) -> Analysis {
        Analysis { width: 100, height: 100, faces }
    }

    #[test]
    fn a_sure_guess_is_one_plain_sentence() {
        let text = guess(&analysis(vec![face(31, 0.99, 5, &[])]), 0.5, 2000);
        assert_eq!(text, "Looks like a woman of about 31 (likely 27 to 35).");
        assert!(tips(&face(31, 0.99, 5, &[Flaw::Dark]), 0.5).is_empty());
    }

    #[test]
    fn an_unsure_guess_says_so_and_names_what_was_measured() {
        let text = guess(&analysis(vec![face(44, 0.4, 15, &[Flaw::Dark, Flaw::Blurred])]), 0.9, 2000);
        assert!(text.starts_with("I'm not sure, but my guess is a man of about 44 (likely "), "{text}");
        assert!(text.contains("Tip: The face is dark: ") && text.contains("The face is blurred: "), "{text}");
        let without_flaw = guess(&analysis(vec![face(44, 0.4, 15, &[])]), 0.9, 2000);
        assert!(without_flaw.contains("Tip: Try another photo"), "{without_flaw}");
    }

    #[test]
    fn children_whose_gender_is_a_coin_toss_are_not_told_as_girls_or_boys() {
        let text = |age, female| guess(&analysis(vec![face(age, female, 1, &[])]), 0.0, 2000);
        assert!(text(2, 0.99).contains("a small child of about 2"));
        assert!(text(9, 0.99).contains("a girl of about 9"));
        assert!(text(9, 0.01).contains("a boy of about 9"));
        assert!(text(9, 0.6).contains("a child of about 9") && text(15, 0.4).contains("a young person of about 15"));
        assert!(text(30, 0.6).contains("a woman of about 30"));
    }

    #[test]
    fn a_crowd_is_numbered_and_fits_the_platform() {
        let crowd = analysis((0..40).map(|age| face(age + 20, 0.9, 5, &[Flaw::TooSmall])).collect());
        let text = guess(&crowd, 0.0, 1024);
        assert!(text.starts_with("I see 40 faces, numbered from left to right:\n1. a woman of about 20"), "{text}");
        assert!(text.chars().count() <= 1024 && text.contains(" more."), "{text}");
        assert!(guess(&crowd, 1.0, 5000).contains("(unsure, small in the picture)"));
        assert!(alternative_text(&crowd, 0.0).chars().count() <= 1000);
    }

    #[test]
    fn every_problem_has_its_own_sentence_with_a_next_step() {
        let problems = [
            Problem::NoPhoto,
            Problem::PlatformLimit { limit: 20 << 20 },
            Problem::Download(DownloadError::TooLarge { limit: 1 << 20 }),
            Problem::Download(DownloadError::Gone { status: 404 }),
            Problem::Download(DownloadError::ForeignHost),
            Problem::Inference(InferenceError::Photo(PhotoError::Empty)),
            Problem::Inference(InferenceError::Photo(PhotoError::NotAPicture { what: "a PDF document" })),
            Problem::Inference(InferenceError::Photo(PhotoError::Truncated)),
            Problem::Inference(InferenceError::Overloaded),
            Problem::Inference(InferenceError::Stopped),
        ];
        let mut sentences: Vec<String> = problems.iter().map(problem).collect();
        for sentence in &sentences {
            assert!(sentence.contains("end") || sentence.contains("ttach") || sentence.contains("try"), "{sentence}");
        }
        sentences.sort();
        sentences.dedup();
        assert_eq!(sentences.len(), problems.len());
    }
}

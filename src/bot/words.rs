//! Numbers to sentences: what is seen, how sure that is, and what would help.

use super::languages::{Language, Value};
use super::settings::GenderPolicy;
use crate::face::{Flaw, Rotation};
use crate::inference::{Analysis, FaceAnalysis};

/// From this age on a child whose gender is left out is a young person.
const TEENAGER: f32 = 13.0;
/// The most characters of a picture's alternative text; Discord takes 1,024.
const ALTERNATIVE_TEXT: usize = 1000;

/// How a guess is told to somebody: in their language, as reserved as they and their chat wish.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplyStyle {
    pub language: Language,
    pub gender: GenderPolicy,
    /// The confidence score in 0..=1 from which a guess is told as sure.
    pub confident: f32,
    /// The probability from which [`GenderPolicy::Sure`] says a gender.
    pub gender_sure: f32,
}

impl ReplyStyle {
    /// English, and everything said.
    pub fn plain(confident: f32) -> Self {
        Self { language: Language::English, gender: GenderPolicy::Always, confident, gender_sure: 0.5 }
    }

    /// The text for an analysed photo, at most `max_characters` long.
    pub fn guess(&self, analysis: &Analysis, max_characters: usize) -> String {
        let cut_short = analysis.cut_short.then(|| self.language.say("picture-cut-short"));
        let room = max_characters.saturating_sub(cut_short.as_ref().map_or(0, |text| text.chars().count() + 1));
        let text = match analysis.faces.as_slice() {
            [] => self.language.say("no-face"),
            [face] => self.single(face),
            faces => self.several(faces, room),
        };
        let one = analysis.faces.len() == 1;
        let helped = analysis.rotation.filter(|_| one).map(|rotation| self.language.say(rotated(rotation)));
        [Some(text), helped, cut_short].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The text for the square in the middle of a photo without a face.
    pub fn guess_anyway(&self, face: &FaceAnalysis) -> String {
        self.language.say_with("guess-anyway", &[("person", (&self.person(face)).into())])
    }

    /// Whether a guess is told as sure: the estimate's score reaches the threshold.
    pub fn is_sure(&self, face: &FaceAnalysis) -> bool {
        face.estimate.confidence_telling(self.tells_gender(face)) >= self.confident
    }

    /// One sentence for each thing that would help; none for a sure guess.
    pub fn tips(&self, face: &FaceAnalysis) -> Vec<String> {
        if self.is_sure(face) {
            return Vec::new();
        }
        if face.flaws.is_empty() {
            return vec![self.language.say("tip-none")];
        }
        face.flaws.iter().map(|flaw| self.language.say(tip(*flaw))).collect()
    }

    /// What the annotated picture shows, for those who do not see it.
    pub fn alternative_text(&self, analysis: &Analysis) -> String {
        let faces = analysis.faces.iter().enumerate();
        let face = |(index, face): (usize, &FaceAnalysis)| {
            let person = self.person(face);
            self.language
                .say_with("alternative-text-face", &[("number", (index + 1).into()), ("person", (&person).into())])
        };
        let faces = faces.map(face).collect::<Vec<_>>().join("; ");
        clipped(&self.language.say_with("alternative-text", &[("faces", (&faces).into())]), ALTERNATIVE_TEXT)
    }

    /// The texts of one message's photos as one; those still looked at are `None`.
    pub fn numbered_photos(&self, texts: &[Option<&str>]) -> String {
        if let [Some(text)] = texts {
            return (*text).to_owned();
        }
        let waiting = self.language.say("photo-waiting");
        let photo = |(index, text): (usize, &Option<&str>)| {
            let text = text.unwrap_or(&waiting);
            self.language.say_with("photo-number", &[("number", (index + 1).into()), ("text", text.into())])
        };
        texts.iter().enumerate().map(photo).collect::<Vec<_>>().join("\n\n")
    }

    /// How the network sees a face: what the picture and its curve show.
    pub fn seen(&self, face: &FaceAnalysis) -> String {
        let (low, high) = face.estimate.age_interval;
        let variables = [("age", face.estimate.age().into()), ("low", low.into()), ("high", high.into())];
        let seen = self.language.say_with("seen", &variables);
        if self.who(face) == "person" {
            return seen;
        }
        let female = Value::from(100.0 * face.estimate.female_probability);
        format!("{seen} {}", self.language.say_with("seen-gender", &[("female", female)]))
    }

    /// One face in a few words: who, how old, between which ages.
    pub fn person(&self, face: &FaceAnalysis) -> String {
        let (low, high) = face.estimate.age_interval;
        let variables = [
            ("who", self.who(face).into()),
            ("age", face.estimate.age().into()),
            ("low", low.into()),
            ("high", high.into()),
        ];
        self.language.say_with("person", &variables)
    }

    /// Whether a face is called a woman, a man, a girl or a boy.
    pub fn tells_gender(&self, face: &FaceAnalysis) -> bool {
        let estimate = &face.estimate;
        match self.gender {
            GenderPolicy::Always => estimate.tells_gender(),
            GenderPolicy::Sure => !estimate.is_small_child() && estimate.gender_probability() >= self.gender_sure,
            GenderPolicy::Never => false,
        }
    }

    fn who(&self, face: &FaceAnalysis) -> &'static str {
        let estimate = &face.estimate;
        let told = self.tells_gender(face);
        match (estimate.is_grown_up(), estimate.female_probability >= 0.5) {
            _ if estimate.is_small_child() => "small-child",
            (false, _) if !told && estimate.age() < TEENAGER => "child",
            (false, _) if !told => "young-person",
            (false, true) => "girl",
            (false, false) => "boy",
            _ if self.gender == GenderPolicy::Never => "person",
            _ if !told => "unclear",
            (true, true) => "woman",
            (true, false) => "man",
        }
    }

    fn single(&self, face: &FaceAnalysis) -> String {
        let person = self.person(face);
        if self.is_sure(face) {
            return self.language.say_with("guess-sure", &[("person", (&person).into())]);
        }
        let guess = self.language.say_with("guess-unsure", &[("person", (&person).into())]);
        let tips = self.language.say_with("guess-tip", &[("tips", (&self.tips(face).join(" ")).into())]);
        format!("{guess} {tips}")
    }

    fn several(&self, faces: &[FaceAnalysis], max_characters: usize) -> String {
        let mut text = self.language.say_with("faces", &[("count", faces.len().into())]);
        // Room for the closing line that says how many are left out.
        let room = max_characters.saturating_sub(40);
        let mut length = text.chars().count();
        for (index, face) in faces.iter().enumerate() {
            let next = format!("\n{}", self.line(index + 1, face));
            length += next.chars().count();
            if length > room {
                let more = self.language.say_with("faces-more", &[("count", (faces.len() - index).into())]);
                return clipped(&format!("{text}\n{more}"), max_characters);
            }
            text += &next;
        }
        text
    }

    fn line(&self, number: usize, face: &FaceAnalysis) -> String {
        let person = self.person(face);
        let mut variables = vec![("number", number.into()), ("person", (&person).into())];
        if self.is_sure(face) {
            return self.language.say_with("face-sure", &variables);
        }
        let Some(flaw) = face.flaws.first() else { return self.language.say_with("face-unsure", &variables) };
        let why = self.language.say(reason(*flaw));
        variables.push(("why", (&why).into()));
        self.language.say_with("face-unsure-why", &variables)
    }
}

/// The text, or its beginning and an ellipsis, at most `max_characters` long.
pub fn clipped(text: &str, max_characters: usize) -> String {
    if text.chars().count() <= max_characters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max_characters.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The sentence that says what it took to find the face.
fn rotated(rotation: Rotation) -> &'static str {
    match rotation {
        Rotation::Left => "helped-turn-left",
        Rotation::Right => "helped-turn-right",
        Rotation::UpsideDown => "helped-turn-over",
    }
}

/// What to do about a flaw, as one sentence.
fn tip(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::TooSmall => "tip-too-small",
        Flaw::CutOff => "tip-cut-off",
        Flaw::Turned => "tip-turned",
        Flaw::Dark => "tip-dark",
        Flaw::Bright => "tip-bright",
        Flaw::Blurred => "tip-blurred",
    }
}

/// The same as a few words behind a numbered line.
fn reason(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::TooSmall => "why-too-small",
        Flaw::CutOff => "why-cut-off",
        Flaw::Turned => "why-turned",
        Flaw::Dark => "why-dark",
        Flaw::Bright => "why-bright",
        Flaw::Blurred => "why-blurred",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Bounds, CropFrame, FaceCrop};
    use crate::model::estimator::Estimate;

    /// A face around `age` years, sure of both or of neither.
    fn face(age: usize, female: f32, spread: usize, flaws: &[Flaw]) -> FaceAnalysis {
        let years = age.saturating_sub(spread)..=age + spread;
        let share = 1.0 / years.clone().count() as f32;
        let age_probabilities = std::array::from_fn(|year| if years.contains(&year) { share } else { 0.0 });
        let reach = 0.8 * spread as f32;
        let luma = image::GrayImage::new(10, 10);
        let age_interval = (age as f32 - reach, age as f32 + reach);
        FaceAnalysis {
            bounds: Bounds { x: 0.0, y: 0.0, w: 10.0, h: 10.0 },
            frame: CropFrame { center_x: 5.0, center_y: 5.0, side: 10.0, roll: 0.0 },
            estimate: Estimate { age_probabilities, female_probability: female, age_interval },
            flaws: flaws.to_vec(),
            crop: FaceCrop::cut(&luma, &CropFrame::whole(&luma)),
        }
    }

    fn analysis(faces: Vec<FaceAnalysis>) -> Analysis {
        Analysis { faces, ..Analysis::empty(100, 100) }
    }

    #[test]
    fn a_sure_guess_is_one_plain_sentence() {
        let text = ReplyStyle::plain(0.5).guess(&analysis(vec![face(31, 0.99, 5, &[])]), 2000);
        assert_eq!(text, "Looks like a woman of about 31 (likely 27 to 35).");
        assert!(ReplyStyle::plain(0.5).tips(&face(31, 0.99, 5, &[Flaw::Dark])).is_empty());
    }

    #[test]
    fn an_unsure_guess_says_so_and_names_what_was_measured() {
        let text = ReplyStyle::plain(0.9).guess(&analysis(vec![face(44, 0.4, 15, &[Flaw::Dark, Flaw::Blurred])]), 2000);
        assert!(text.starts_with("I'm not sure, but my guess is a man of about 44 (likely "), "{text}");
        assert!(text.contains("Tip: The face gets little light: ") && text.contains("The face is blurred: "), "{text}");
        let without_flaw = ReplyStyle::plain(0.9).guess(&analysis(vec![face(44, 0.4, 15, &[])]), 2000);
        assert!(without_flaw.contains("Tip: Try another photo"), "{without_flaw}");
    }

    #[test]
    fn children_whose_gender_is_a_coin_toss_are_not_told_as_girls_or_boys() {
        let text = |age, female| ReplyStyle::plain(0.0).guess(&analysis(vec![face(age, female, 1, &[])]), 2000);
        assert!(text(2, 0.99).contains("a small child of about 2"));
        assert!(text(9, 0.99).contains("a girl of about 9"));
        assert!(text(9, 0.01).contains("a boy of about 9"));
        assert!(text(9, 0.6).contains("a child of about 9") && text(15, 0.4).contains("a young person of about 15"));
        assert!(text(30, 0.6).contains("a woman of about 30"));
        // What is not told makes nobody unsure.
        let told = |age, female| ReplyStyle::plain(0.5).guess(&analysis(vec![face(age, female, 1, &[])]), 2000);
        assert!(
            told(2, 0.55).starts_with("Looks like a small child") && told(9, 0.6).starts_with("Looks like a child")
        );
        assert!(told(30, 0.6).starts_with("I'm not sure"));
        let never = ReplyStyle { gender: GenderPolicy::Never, ..ReplyStyle::plain(0.5) };
        assert!(never.is_sure(&face(30, 0.6, 1, &[])));
    }

    #[test]
    fn a_crowd_is_numbered_and_fits_the_platform() {
        let crowd = analysis((0..40).map(|age| face(age + 20, 0.9, 5, &[Flaw::TooSmall])).collect());
        let text = ReplyStyle::plain(0.0).guess(&crowd, 1024);
        assert!(text.starts_with("I see 40 faces, numbered from left to right:\n1. a woman of about 20"), "{text}");
        assert!(text.chars().count() <= 1024 && text.contains(" more."), "{text}");
        assert!(ReplyStyle::plain(1.0).guess(&crowd, 5000).contains("(unsure, small in the picture)"));
        assert!(ReplyStyle::plain(0.0).alternative_text(&crowd).chars().count() <= 1000);
    }

    #[test]
    fn a_gender_is_left_out_where_it_is_not_wanted_or_not_sure() {
        let text = |gender, age, female| {
            let style = ReplyStyle { gender, gender_sure: 0.9, ..ReplyStyle::plain(0.0) };
            (style.person(&face(age, female, 1, &[])), style.seen(&face(age, female, 1, &[])))
        };
        assert!(text(GenderPolicy::Never, 30, 0.99).0.starts_with("a person of about 30"));
        assert!(!text(GenderPolicy::Never, 30, 0.99).1.contains("women"));
        assert!(text(GenderPolicy::Never, 9, 0.99).0.starts_with("a child of about 9"));
        assert!(text(GenderPolicy::Sure, 30, 0.8).0.starts_with("a man or a woman, I can't tell"));
        assert!(text(GenderPolicy::Sure, 30, 0.95).0.starts_with("a woman of about 30"));
        assert!(text(GenderPolicy::Always, 30, 0.95).1.contains("95 in 100"));
    }

    #[test]
    fn a_picture_that_was_cut_short_is_said_to_be() {
        let faces = (0..20).map(|_| face(31, 0.99, 5, &[])).collect();
        for faces in [Vec::new(), vec![face(31, 0.99, 5, &[])], faces] {
            let cut = Analysis { cut_short: true, ..analysis(faces) };
            let text = ReplyStyle::plain(0.0).guess(&cut, 500);
            assert!(text.ends_with("this is what the rest shows.") && text.chars().count() <= 500, "{text}");
        }
    }

    #[test]
    fn what_helped_to_find_the_face_is_named() {
        let helped = Analysis { rotation: Some(Rotation::Left), ..analysis(vec![face(31, 0.99, 5, &[])]) };
        let text = ReplyStyle::plain(0.0).guess(&helped, 2000);
        assert!(text.contains("(likely 27 to 35). The photo lies on its side"), "{text}");
    }

    #[test]
    fn photos_still_looked_at_keep_their_place() {
        let text = ReplyStyle::plain(0.0).numbered_photos(&[Some("a"), None, Some("c")]);
        assert_eq!(text, "Photo 1: a\n\nPhoto 2: still looking …\n\nPhoto 3: c");
        assert_eq!(ReplyStyle::plain(0.0).numbered_photos(&[Some("a")]), "a");
    }
}

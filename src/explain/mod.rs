//! What the network sees in one face, what it computes from it, and how stable the result is.
//!
//! Five parts, each taken from what the network actually computes: the [`view`](View), from photo to numbers; a filter
//! at work ([`filters`]); who [voted](votes) and where, with [`occlusion`] beside it; the vote, which is the face's
//! [`Estimate`](crate::model::estimator::Estimate); small [`changes`]. They show where the picture mattered to the
//! network, not why anybody looks their age. `draw` makes pictures of them, in words that the caller chooses.

pub mod changes;
#[cfg(feature = "cli")]
pub mod draw;
pub mod filters;
pub mod occlusion;
pub mod picture;
#[cfg(feature = "cli")]
pub mod probe;
mod view;
pub mod votes;

pub use changes::{Change, ChangeKind};
pub use filters::{DeepChannel, FilterAtWork, FilterMap};
pub use occlusion::Occlusion;
pub use picture::rank_correlation;
pub use view::View;
pub use votes::Votes;

use crate::face::crop::SIDE;
use crate::model::ModelError;
use crate::photo::PhotoError;
use crate::{Analysis, FaceAnalysis, Framing, GuessError, Guesser};

/// A map is called shaky if its rank correlation with the map of the face shifted by one pixel is at most this.
pub const SHAKY: f32 = 0.8;

/// Why a face could not be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The photo could not be analysed.
    #[error(transparent)]
    Guess(#[from] GuessError),
    /// The photo has fewer faces than the number asked for.
    #[error("the photo has {faces} faces")]
    NoSuchFace {
        /// How many it has.
        faces: usize,
    },
}

impl From<PhotoError> for ExplainError {
    fn from(error: PhotoError) -> Self {
        Self::Guess(error.into())
    }
}

impl From<ModelError> for ExplainError {
    fn from(error: ModelError) -> Self {
        Self::Guess(error.into())
    }
}

/// Everything that is shown about one face.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Width and height of the upright photo in pixels.
    pub photo: (u32, u32),
    /// The face's index in the photo, in [`Analysis::order`](crate::Analysis::order), from 0.
    pub index: usize,
    /// How many faces the photo has.
    pub faces: usize,
    /// The face, its crop and its estimate: the vote.
    pub face: FaceAnalysis,
    /// The face in colour, as large as it is shown.
    pub view: View,
    /// The strongest filter of the first layer, at the place where it responds most.
    pub at_work: FilterAtWork,
    /// The strongest filters of the first layer with their maps, the strongest first.
    pub strongest: Vec<FilterMap>,
    /// Number of filters of the first layer.
    pub filters: usize,
    /// What one channel of a deeper layer responds to.
    pub deep: DeepChannel,
    /// The votes for the guessed year of age, rather than for the mean of all.
    pub age_votes: Votes,
    /// The votes for female (positive) and male (negative).
    pub gender_votes: Votes,
    /// How the guessed age changes where the face is covered.
    pub occlusion: Occlusion,
    /// What small changes of framing, light and sharpness do, the smallest first.
    pub changes: Vec<Change>,
}

impl Explanation {
    /// The year of age that the votes are for: the guess.
    pub fn voted_year(&self) -> usize {
        voted_year(&self.face)
    }

    /// Side of the crop in pixels.
    pub fn crop_side(&self) -> usize {
        SIDE
    }

    /// The changes shown as framings: closer, wider, shifted, tilted.
    pub fn framings(&self) -> Vec<&Change> {
        let shown = |kind: ChangeKind| self.changes.iter().find(|change| change.kind == kind && change.is_shown());
        [ChangeKind::Closer, ChangeKind::Wider, ChangeKind::Shifted, ChangeKind::Tilted]
            .into_iter()
            .filter_map(shown)
            .collect()
    }

    /// The smallest change after which `is_sure` says otherwise than before.
    pub fn tipping(&self, is_sure: impl Fn(&FaceAnalysis) -> bool) -> Option<&Change> {
        let sure = is_sure(&self.face);
        self.changes.iter().find(|change| is_sure(&self.changed(change)) != sure)
    }

    /// The face as it would have been analysed after a change.
    pub fn changed(&self, change: &Change) -> FaceAnalysis {
        FaceAnalysis { estimate: change.estimate.clone(), crop: change.crop.clone(), ..self.face.clone() }
    }
}

/// Finds the faces of a photo and explains the one of this index, in [`Analysis::order`](crate::Analysis::order), from 0.
///
/// It takes about 350 passes of the network over one face, half a second of one core, and as much memory as a
/// guess and then the photo in colour.
///
/// # Errors
/// [`ExplainError::NoSuchFace`] if the photo has fewer faces; else as [`Guesser::guess`].
pub fn explain(guesser: &Guesser, photo: &[u8], face: usize) -> Result<Explanation, ExplainError> {
    let (analysis, decoded) = guesser.analyse_keeping_photo(photo, Framing::Find)?;
    let faces = analysis.faces.len();
    let Some(explained) = analysis.faces.get(face).cloned() else {
        return Err(ExplainError::NoSuchFace { faces });
    };
    let variants = changes::variants(&explained, &decoded);
    // A thread holds one reservation of memory at a time, and the network needs only the crops.
    drop(decoded);
    let view = View::decode(photo, guesser.limits(), &analysis, &explained)?;
    let estimator = guesser.estimator();
    let picture = explained.crop.standardise();
    let here = estimator.read_out(&picture)?;
    let mirrored = estimator.read_out(&picture::mirrored(&picture))?;
    let shifted = picture::shifted(&picture);
    let after_shift = [estimator.read_out(&shifted)?, estimator.read_out(&picture::mirrored(&shifted))?];
    let filters = estimator.first_filters()?;
    let strongest = filters::strongest(&filters, &here.first);
    let [age_votes, gender_votes] = [("age", voted_year(&explained)), ("gender", 0)].map(|(head, index)| {
        let output = estimator.output(head, index)?;
        Ok::<_, ModelError>(Votes::count(&output, [&here, &mirrored], [&after_shift[0], &after_shift[1]]))
    });
    let Analysis { width, height, .. } = analysis;
    Ok(Explanation {
        photo: (width, height),
        index: face,
        faces,
        at_work: filters::at_work(&explained.crop, &picture, &filters, &strongest),
        filters: filters.len(),
        strongest,
        deep: filters::deep_channel(estimator, &explained.crop, &here.deep)?,
        age_votes: age_votes?,
        gender_votes: gender_votes?,
        occlusion: Occlusion::measure(estimator, &picture)?,
        changes: changes::estimated(estimator, &explained.crop, variants)?,
        face: explained,
        view,
    })
}

fn voted_year(face: &FaceAnalysis) -> usize {
    (face.age().round() as usize).min(face.estimate.age_probabilities.len() - 1)
}

/// Index of the largest value.
fn peak(values: &[f32]) -> usize {
    (0..values.len()).max_by(|one, other| values[*one].total_cmp(&values[*other])).unwrap_or(0)
}

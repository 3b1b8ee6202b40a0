//! Answers the photos of one message incrementally.
//!
//! All photos share one reply. If they are not all analysed within [`EDIT_INTERVAL`], it is posted with
//! the results so far and edited as more arrive.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::actions::{Action, Button};
use super::people::PersonId;
use super::photo_buttons::photo_buttons;
use super::wording::{ReplyStyle, clipped};
use super::{Answer, Bot, Card, Certainty, PhotoSource, Problem, Reply, ReplyOptions, card};
use crate::inference::FlowId;
use crate::observe::{Stage, record_stage};

/// The time until the first results of an album are posted, and the shortest time between edits.
const EDIT_INTERVAL: Duration = Duration::from_secs(2);

/// How a platform posts a reply and edits it.
pub trait Delivery: Sync {
    /// A posted reply.
    type Sent: Send + Sync;
    /// Whether buttons under the reply can process the photo again.
    const HAS_PHOTO_BUTTONS: bool = true;
    /// Posts a reply; `None` when that failed, which the implementation logs.
    fn post(&self, answer: &Answer) -> impl Future<Output = Option<Self::Sent>> + Send;
    /// Replaces a posted reply.
    fn edit(&self, sent: &Self::Sent, answer: &Answer) -> impl Future<Output = ()> + Send;
}

impl Bot {
    /// Answers all photos of one message, in their order, with one reply; returns the posted reply.
    pub async fn deliver<D: Delivery>(
        &self,
        photos: Vec<PhotoSource>,
        asker: PersonId,
        style: &ReplyStyle,
        options: ReplyOptions,
        delivery: &D,
    ) -> Option<D::Sent> {
        let count = photos.len();
        let flow = FlowId::from_key(&asker);
        let guess = |(index, photo)| async move {
            let _permit = self.permits.acquire(flow).await;
            let reply = match count {
                1 if D::HAS_PHOTO_BUTTONS => self.guess_alone(flow, photo, style, options).await,
                _ => self.guess(flow, photo, style, options).await,
            };
            (index, reply)
        };
        let mut running: FuturesUnordered<_> = photos.into_iter().enumerate().map(guess).collect();
        let mut replies: Vec<Option<Reply>> = vec![None; count];
        let mut sent: Option<D::Sent> = None;
        let mut shown = 0;
        let mut edit_due = interval_at(Instant::now() + EDIT_INTERVAL, EDIT_INTERVAL);
        edit_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                next = running.next() => match next {
                    Some((index, reply)) => replies[index] = Some(reply),
                    None => break,
                },
                _ = edit_due.tick(), if count > 1 => {
                    let ready = replies.iter().flatten().count();
                    if sent.is_some() && ready == shown {
                        continue;
                    }
                    shown = ready;
                    let so_far = Answer::from(combined_text(&replies, style, options.max_characters));
                    match &sent {
                        Some(sent) => send_while_analysing(delivery.edit(sent, &so_far), &mut running, &mut replies).await,
                        None => sent = send_while_analysing(delivery.post(&so_far), &mut running, &mut replies).await,
                    }
                }
            }
        }
        let mut answer = self.combine(replies, asker, style, options).await;
        if !D::HAS_PHOTO_BUTTONS {
            answer.buttons.iter_mut().for_each(|row| row.retain(|button| !button.action.needs_photo()));
        }
        let begun = Instant::now();
        match &sent {
            Some(sent) => delivery.edit(sent, &answer).await,
            None => sent = delivery.post(&answer).await,
        }
        record_stage(Stage::Reply, begun.elapsed());
        sent
    }

    /// The whole answer, once all photos are analysed.
    async fn combine(
        &self,
        replies: Vec<Option<Reply>>,
        asker: PersonId,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Answer {
        if replies.is_empty() {
            return Problem::NoPhoto.message(style.language).into();
        }
        let mut text = combined_text(&replies, style, options.max_characters);
        let replies: Vec<Reply> = replies.into_iter().flatten().collect();
        let tone = Certainty::from_outcomes(replies.iter().map(|reply| &reply.outcome), style);
        let buttons = match replies.as_slice() {
            [Reply { outcome: Ok(analysis), crop, .. }] => {
                let photo = photo_buttons(analysis, *crop, style);
                vec![photo.into_iter().chain([delete_button(asker, style)]).collect()]
            }
            replies if replies.iter().any(|reply| reply.outcome.is_ok()) => vec![vec![delete_button(asker, style)]],
            _ => Vec::new(),
        };
        if buttons.iter().flatten().any(|button| matches!(button.action, Action::Crop(_))) {
            text = format!("{text} {}", style.language.message("crop-offered"));
        }
        let numbers = 1..;
        let cards: Vec<(usize, Card)> =
            numbers.zip(replies).filter_map(|(number, reply)| Some((number, reply.card?))).collect();
        let cards = if cards.len() > options.max_cards {
            self.sheet(cards, style).await
        } else {
            cards.into_iter().map(|(_, card)| card).collect()
        };
        Answer { text: clipped(&text, options.max_characters), cards, buttons, tone }
    }

    /// Combines several cards into one.
    async fn sheet(&self, cards: Vec<(usize, Card)>, style: &ReplyStyle) -> Vec<Card> {
        let caption = |(number, card): &(usize, Card)| {
            let variables = [("number", (*number).into()), ("text", (&card.alternative_text).into())];
            style.language.message_with("photo-number", &variables)
        };
        let alternative_text = cards.iter().map(caption).collect::<Vec<_>>().join(" ");
        let pictures = cards.into_iter().map(|(number, card)| (number, card.jpeg)).collect::<Vec<_>>();
        self.draw_card(clipped(&alternative_text, 1000), move |limits| card::sheet(&pictures, &limits))
            .await
            .into_iter()
            .collect()
    }
}

/// Waits for `sending` while the photos are being analysed: a platform's rate limits can delay a message
/// for long, and unpolled photos would hold their permits meanwhile.
async fn send_while_analysing<T>(
    sending: impl Future<Output = T>,
    running: &mut (impl Stream<Item = (usize, Reply)> + Unpin),
    replies: &mut [Option<Reply>],
) -> T {
    let mut sending = std::pin::pin!(sending);
    loop {
        tokio::select! {
            sent = &mut sending => return sent,
            Some((index, reply)) = running.next() => replies[index] = Some(reply),
        }
    }
}

/// The texts of all photos as one of at most `max_characters`. Long texts get what short ones leave.
fn combined_text(replies: &[Option<Reply>], style: &ReplyStyle, max_characters: usize) -> String {
    // Characters for "Photo 10: " and an empty line each.
    const OVERHEAD: usize = 16;
    let waiting = style.language.message("photo-waiting").chars().count();
    let length = |reply: &Option<Reply>| reply.as_ref().map_or(waiting, |reply| reply.text.chars().count());
    let lengths: Vec<usize> = replies.iter().map(length).collect();
    let overhead = if replies.len() > 1 { OVERHEAD * replies.len() } else { 0 };
    let limits = distribute(&lengths, max_characters.saturating_sub(overhead));
    let shorten = |reply: &Reply, limit: usize| match &reply.outcome {
        Ok(analysis) if reply.text.chars().count() > limit => style.guess(analysis, limit),
        _ => clipped(&reply.text, limit),
    };
    let texts: Vec<Option<String>> =
        replies.iter().zip(limits).map(|(reply, limit)| Some(shorten(reply.as_ref()?, limit))).collect();
    style.numbered_photos(&texts.iter().map(Option::as_deref).collect::<Vec<_>>())
}

/// Distributes `total` over several lengths (max-min fair): short ones get all they need, the others
/// equal parts of the rest.
fn distribute(lengths: &[usize], total: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| lengths[*index]);
    let (mut granted, mut left) = (vec![0; lengths.len()], total);
    for (position, index) in order.into_iter().enumerate() {
        granted[index] = lengths[index].min(left / (lengths.len() - position));
        left -= granted[index];
    }
    granted
}

fn delete_button(asker: PersonId, style: &ReplyStyle) -> Button {
    Button { action: Action::Delete { asker }, label: style.language.message("button-delete") }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;
    use crate::bot::people::Platform;
    use crate::bot::sqlite::Sqlite;
    use crate::bot::{CardPolicy, Certainty};
    use crate::config::Config;
    use crate::download::{DownloadLimits, Downloader};
    use crate::inference::pool::Analyser;
    use crate::inference::{InferenceError, Pool, PoolOptions};
    use crate::photo::DecodeLimits;
    use crate::{Analysis, Framing};

    const ASKER: PersonId = PersonId { platform: Platform::Discord, id: 7 };
    const OPTIONS: ReplyOptions =
        ReplyOptions { platform: "test", max_characters: 2000, card: CardPolicy::Never, max_cards: 1 };

    /// Analyses a photo once its first byte has been sent through the channel.
    struct Gate(Mutex<std::sync::mpsc::Receiver<u8>>, Mutex<Vec<u8>>);

    impl Analyser for Gate {
        fn analyse(&self, photo: &[u8], _: Framing) -> Result<Analysis, InferenceError> {
            while !self.1.lock().unwrap().contains(&photo[0]) {
                let next = self.0.lock().unwrap().recv();
                self.1.lock().unwrap().push(next.unwrap());
            }
            Ok(Analysis::empty(1, 1))
        }
    }

    fn bot() -> (Arc<Bot>, std::sync::mpsc::Sender<u8>) {
        let (open, gate) = std::sync::mpsc::channel();
        let options = PoolOptions { workers: 1, queue: 9, deadline: Duration::from_secs(600) };
        let pool = Pool::start(Arc::new(Gate(Mutex::new(gate), Mutex::default())), options).unwrap();
        let downloader = Downloader::new(DownloadLimits::default()).unwrap();
        let options = Config::load(None, []).unwrap().bot_options(DecodeLimits::default());
        (Arc::new(Bot::new(Arc::new(pool), downloader, Arc::new(Sqlite::in_memory().unwrap()), options)), open)
    }

    /// Records what is posted and edited.
    struct Recorder(UnboundedSender<(&'static str, Answer)>);

    impl Delivery for Recorder {
        type Sent = ();

        async fn post(&self, answer: &Answer) -> Option<()> {
            self.0.send(("post", answer.clone())).ok()
        }

        async fn edit(&self, (): &(), answer: &Answer) {
            self.0.send(("edit", answer.clone())).unwrap();
        }
    }

    fn deliver(bot: &Arc<Bot>, photos: &[u8]) -> UnboundedReceiver<(&'static str, Answer)> {
        let (sender, recorded) = unbounded_channel();
        let photos = photos.iter().map(|first| PhotoSource::Bytes(vec![*first].into())).collect();
        let bot = bot.clone();
        tokio::spawn(async move {
            bot.deliver(photos, ASKER, &ReplyStyle::plain(0.5), OPTIONS, &Recorder(sender)).await;
        });
        recorded
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_album_is_posted_early_and_edited() {
        // A running blocking task keeps the paused clock from advancing on its own.
        let (_still, held) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || held.recv());
        let (bot, open) = bot();
        open.send(1).unwrap();
        let mut recorded = deliver(&bot, &[1, 2]);
        tokio::task::yield_now().await;
        tokio::time::advance(EDIT_INTERVAL).await;
        let (how, first) = recorded.recv().await.unwrap();
        assert_eq!(how, "post");
        assert!(first.text.ends_with("Photo 2: still looking …"), "{}", first.text);
        open.send(2).unwrap();
        loop {
            let (how, answer) = recorded.recv().await.unwrap();
            assert_eq!(how, "edit");
            if !answer.buttons.is_empty() {
                let expected = [Action::Delete { asker: ASKER }];
                assert_eq!(answer.buttons[0].iter().map(|button| button.action).collect::<Vec<_>>(), expected);
                assert!(answer.text.contains("Photo 2: I can't find a face"), "{}", answer.text);
                assert_eq!(answer.tone, Certainty::Plain);
                break;
            }
        }
        assert!(recorded.recv().await.is_none());
    }

    #[test]
    fn long_texts_get_what_short_ones_leave() {
        assert_eq!(distribute(&[50, 900, 50, 40], 1000), [50, 860, 50, 40]);
        assert_eq!(distribute(&[900, 50, 900], 1000), [475, 50, 475]);
        assert_eq!(distribute(&[10, 20], 1000), [10, 20]);
        assert_eq!(distribute(&[], 1000), [0; 0]);
    }

    #[tokio::test]
    async fn a_quick_answer_is_posted_once_and_complete() {
        let (bot, open) = bot();
        open.send(1).unwrap();
        let mut recorded = deliver(&bot, &[1]);
        let (how, answer) = recorded.recv().await.unwrap();
        assert!(how == "post" && answer.text.starts_with("I can't find a face"), "{}", answer.text);
        let actions: Vec<Action> = answer.buttons[0].iter().map(|button| button.action).collect();
        assert_eq!(actions, [Action::GuessAnyway, Action::Delete { asker: ASKER }]);
        assert!(recorded.recv().await.is_none());
    }
}

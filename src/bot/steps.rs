//! Answers to the photos of one message, told as they come.
//!
//! All photos share one reply. If not all are looked at within [`PATIENCE`], it is posted with what
//! there is and edited as more comes, so that nobody stares at nothing.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::actions::{Action, Button};
use super::look_again::suggested;
use super::people::PersonId;
use super::words::{ReplyStyle, clipped};
use super::{Answer, Bot, Card, PhotoSource, Problem, Reply, ReplyOptions, card, tone};
use crate::inference::{Analysis, FlowId};

/// How long an album may keep people waiting, and how often its reply is edited at most.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How a platform posts a reply and edits it.
pub trait Delivery: Sync {
    /// A reply that was posted.
    type Sent: Send + Sync;
    /// Posts a reply; `None` when that failed, which is logged there.
    fn post(&self, answer: &Answer) -> impl Future<Output = Option<Self::Sent>> + Send;
    /// Replaces a reply that was posted.
    fn edit(&self, sent: &Self::Sent, answer: &Answer) -> impl Future<Output = ()> + Send;
}

impl Bot {
    /// Answers all photos of one message in their order, with one reply; returns what was posted.
    pub async fn deliver<D: Delivery>(
        &self,
        photos: Vec<PhotoSource>,
        asker: PersonId,
        style: &ReplyStyle,
        options: ReplyOptions,
        delivery: &D,
    ) -> Option<D::Sent> {
        let count = photos.len();
        let flow = FlowId::of(&asker);
        let guess = |(index, photo)| async move { (index, self.guess_in_turn(flow, photo, style, options).await) };
        let mut running: FuturesUnordered<_> = photos.into_iter().enumerate().map(guess).collect();
        let mut replies: Vec<Option<Reply>> = vec![None; count];
        let mut sent: Option<D::Sent> = None;
        let mut shown = 0;
        let mut due = interval_at(Instant::now() + PATIENCE, PATIENCE);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                next = running.next() => match next {
                    Some((index, reply)) => replies[index] = Some(reply),
                    None => break,
                },
                _ = due.tick(), if count > 1 => {
                    let ready = replies.iter().flatten().count();
                    if sent.is_some() && ready == shown {
                        continue;
                    }
                    shown = ready;
                    let so_far = Answer::from(told(&replies, style, options.max_characters));
                    match &sent {
                        Some(sent) => meanwhile(delivery.edit(sent, &so_far), &mut running, &mut replies).await,
                        None => sent = meanwhile(delivery.post(&so_far), &mut running, &mut replies).await,
                    }
                }
            }
        }
        let answer = self.complete(replies, asker, style, options).await;
        match &sent {
            Some(sent) => delivery.edit(sent, &answer).await,
            None => sent = delivery.post(&answer).await,
        }
        sent
    }

    async fn complete(
        &self,
        replies: Vec<Option<Reply>>,
        asker: PersonId,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Answer {
        if replies.is_empty() {
            return Problem::NoPhoto.message(style.language).into();
        }
        let mut text = told(&replies, style, options.max_characters);
        let replies: Vec<Reply> = replies.into_iter().flatten().collect();
        let tone = tone(replies.iter().map(|reply| &reply.outcome), style);
        let buttons = match replies.as_slice() {
            [Reply { outcome: Ok(analysis), .. }] => single(analysis, asker, style),
            replies if replies.iter().any(|reply| reply.outcome.is_ok()) => vec![vec![delete(asker, style)]],
            _ => Vec::new(),
        };
        if buttons.iter().flatten().any(|button| matches!(button.action, Action::Crop(_))) {
            text = format!("{text} {}", style.language.say("crop-offered"));
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

    /// Several cards as one.
    async fn sheet(&self, cards: Vec<(usize, Card)>, style: &ReplyStyle) -> Vec<Card> {
        let told = |(number, card): &(usize, Card)| {
            let variables = [("number", (*number).into()), ("text", (&card.alternative_text).into())];
            style.language.say_with("photo-number", &variables)
        };
        let alternative_text = cards.iter().map(told).collect::<Vec<_>>().join(" ");
        let pictures = cards.into_iter().map(|(number, card)| (number, card.jpeg)).collect::<Vec<_>>();
        self.drawn(clipped(&alternative_text, 1000), move |limits| card::sheet(&pictures, &limits))
            .await
            .into_iter()
            .collect()
    }
}

/// Waits for `sending` while the photos are looked at all the same: a message may have to wait long
/// for the platform's limits, and they would keep their turns.
async fn meanwhile<T>(
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

/// The texts of all photos as one of at most so many characters. What short ones leave is given to
/// the long ones.
fn told(replies: &[Option<Reply>], style: &ReplyStyle, max_characters: usize) -> String {
    // Room for "Photo 10: " and an empty line each.
    const BETWEEN: usize = 16;
    let waiting = style.language.say("photo-waiting").chars().count();
    let length = |reply: &Option<Reply>| reply.as_ref().map_or(waiting, |reply| reply.text.chars().count());
    let lengths: Vec<usize> = replies.iter().map(length).collect();
    let between = if replies.len() > 1 { BETWEEN * replies.len() } else { 0 };
    let limits = shares(&lengths, max_characters.saturating_sub(between));
    let cut = |reply: &Reply, limit: usize| match &reply.outcome {
        Ok(analysis) if reply.text.chars().count() > limit => style.guess(analysis, limit),
        _ => clipped(&reply.text, limit),
    };
    let texts: Vec<Option<String>> =
        replies.iter().zip(limits).map(|(reply, limit)| Some(cut(reply.as_ref()?, limit))).collect();
    style.numbered_photos(&texts.iter().map(Option::as_deref).collect::<Vec<_>>())
}

/// How much of `room` each of several lengths is given: the short ones all they need, the others equal
/// parts of the rest.
fn shares(lengths: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| lengths[*index]);
    let (mut granted, mut left) = (vec![0; lengths.len()], room);
    for (position, index) in order.into_iter().enumerate() {
        granted[index] = lengths[index].min(left / (lengths.len() - position));
        left -= granted[index];
    }
    granted
}

fn delete(asker: PersonId, style: &ReplyStyle) -> Button {
    Button { action: Action::Delete { asker }, label: style.language.say("button-delete") }
}

/// What can be done about one photo.
fn single(analysis: &Analysis, asker: PersonId, style: &ReplyStyle) -> Vec<Vec<Button>> {
    let button = |action, id| Button { action, label: style.language.say(id) };
    let mut buttons = match analysis.faces.as_slice() {
        [] => vec![button(Action::Anyway, "button-anyway")],
        [face] => {
            let square = suggested(analysis, face).filter(|_| !style.is_sure(face));
            let crop = square.map(|square| button(Action::Crop(square), "button-crop"));
            std::iter::once(button(Action::See, "button-see")).chain(crop).collect()
        }
        _ => Vec::new(),
    };
    buttons.push(delete(asker, style));
    vec![buttons]
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;
    use crate::bot::people::Platform;
    use crate::bot::sqlite::Sqlite;
    use crate::bot::{CardWhen, Tone};
    use crate::config::Config;
    use crate::inference::pool::Analyser;
    use crate::inference::{Framing, InferenceError, Pool, PoolOptions};
    use crate::photo::{DecodeLimits, DownloadLimits, Downloader};

    const ASKER: PersonId = PersonId { platform: Platform::Discord, id: 7 };
    const OPTIONS: ReplyOptions = ReplyOptions { max_characters: 2000, card: CardWhen::Never, max_cards: 1 };

    /// Answers a photo when its first byte has been let through.
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

    /// Tells what was posted and edited.
    struct Desk(UnboundedSender<(&'static str, Answer)>);

    impl Delivery for Desk {
        type Sent = ();

        async fn post(&self, answer: &Answer) -> Option<()> {
            self.0.send(("post", answer.clone())).ok()
        }

        async fn edit(&self, (): &(), answer: &Answer) {
            self.0.send(("edit", answer.clone())).unwrap();
        }
    }

    fn deliver(bot: &Arc<Bot>, photos: &[u8]) -> UnboundedReceiver<(&'static str, Answer)> {
        let (sender, told) = unbounded_channel();
        let photos = photos.iter().map(|first| PhotoSource::Bytes(vec![*first].into())).collect();
        let bot = bot.clone();
        tokio::spawn(async move {
            bot.deliver(photos, ASKER, &ReplyStyle::plain(0.5), OPTIONS, &Desk(sender)).await;
        });
        told
    }

    #[tokio::test(start_paused = true)]
    async fn an_album_that_takes_long_is_told_as_it_comes() {
        // The clock stands still while a blocking task runs: it moves when the test says so.
        let (_still, held) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || held.recv());
        let (bot, open) = bot();
        open.send(1).unwrap();
        let mut told = deliver(&bot, &[1, 2]);
        tokio::task::yield_now().await;
        tokio::time::advance(PATIENCE).await;
        let (how, first) = told.recv().await.unwrap();
        assert_eq!(how, "post");
        assert!(first.text.ends_with("Photo 2: still looking …"), "{}", first.text);
        open.send(2).unwrap();
        loop {
            let (how, answer) = told.recv().await.unwrap();
            assert_eq!(how, "edit");
            if !answer.buttons.is_empty() {
                let expected = [Action::Delete { asker: ASKER }];
                assert_eq!(answer.buttons[0].iter().map(|button| button.action).collect::<Vec<_>>(), expected);
                assert!(answer.text.contains("Photo 2: I can't find a face"), "{}", answer.text);
                assert_eq!(answer.tone, Tone::Plain);
                break;
            }
        }
        assert!(told.recv().await.is_none());
    }

    #[test]
    fn what_short_texts_leave_goes_to_the_long_ones() {
        assert_eq!(shares(&[50, 900, 50, 40], 1000), [50, 860, 50, 40]);
        assert_eq!(shares(&[900, 50, 900], 1000), [475, 50, 475]);
        assert_eq!(shares(&[10, 20], 1000), [10, 20]);
        assert_eq!(shares(&[], 1000), [0; 0]);
    }

    #[tokio::test]
    async fn what_is_quick_is_posted_once_and_whole() {
        let (bot, open) = bot();
        open.send(1).unwrap();
        let mut told = deliver(&bot, &[1]);
        let (how, answer) = told.recv().await.unwrap();
        assert!(how == "post" && answer.text.starts_with("I can't find a face"), "{}", answer.text);
        let actions: Vec<Action> = answer.buttons[0].iter().map(|button| button.action).collect();
        assert_eq!(actions, [Action::Anyway, Action::Delete { asker: ASKER }]);
        assert!(told.recv().await.is_none());
    }
}

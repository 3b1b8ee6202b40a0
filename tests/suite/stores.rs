//! What holds for every store: the SQLite file of one process, and the NATS server that gateways and
//! workers share.

use std::any::Any;
use std::sync::Arc;

use faceguesser::bot::game::{Game, GuessOutcome, MAX_OPEN_GAMES, Player};
use faceguesser::bot::jobs::{Claim, Job, Receipt, UpdateId};
use faceguesser::bot::languages::Language;
use faceguesser::bot::people::{ChatId, PersonId, Platform};
use faceguesser::bot::settings::{ChatSettings, GenderPolicy, PersonSettings, SmilePolicy};
use faceguesser::bot::sqlite::Sqlite;
use faceguesser::bot::store::Store;

use crate::support::nats::NatsServer;

const CHAT: ChatId = ChatId { platform: Platform::Telegram, id: -100 };
const ANN: PersonId = PersonId { platform: Platform::Telegram, id: 1 };

/// Two connections to the same store, as two processes would have; and what keeps it alive.
struct Stores([Arc<dyn Store>; 2], #[expect(dead_code, reason = "dropped last")] Box<dyn Any>);

fn sqlite() -> Stores {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(Sqlite::open(&folder.path().join("store.sqlite3")).unwrap());
    Stores([open(), open()], Box::new(folder))
}

fn cluster() -> Stores {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (server, first, second) = runtime.block_on(async {
        let server = NatsServer::start().await;
        let (first, second) = (server.store().await, server.store().await);
        (server, first, second)
    });
    Stores([first, second], Box::new((server, runtime)))
}

/// Runs each test with both stores.
macro_rules! with_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&super::sqlite()); })*
        }
        mod cluster {
            $(#[test]
            #[cfg_attr(not(with_nats), ignore = "needs nats-server")]
            fn $test() { super::$test(&super::cluster()); })*
        }
    };
}

with_both! {
    settings_are_the_same_everywhere
    changes_made_at_the_same_time_all_hold
    a_game_accepts_each_players_first_guess_and_ends_once
    a_guess_that_races_with_the_end_of_its_game_counts_or_is_refused
    the_oldest_game_of_a_chat_is_deleted_for_a_new_one
    forgetting_deletes_everything_stored
    a_chat_takes_everything_along_to_its_new_id
    a_message_has_one_job
    an_admin_notice_can_be_claimed_once_a_day
    a_connections_state_is_kept_until_it_is_deleted
}

fn player(id: i64) -> Player {
    Player { person: PersonId { id, ..ANN }, name: format!("P{id}") }
}

fn game() -> Game {
    Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: Some(33), guesses: vec![] }
}

fn settings_are_the_same_everywhere(Stores([one, other], _): &Stores) {
    let chat = ChatSettings {
        auto: true,
        language: Some(Language::Czech),
        gender: GenderPolicy::Sure,
        smile: SmilePolicy::Never,
        private: true,
    };
    let person = PersonSettings { opted_out: true, language: None, gender: GenderPolicy::Never };
    assert_eq!(one.chat(CHAT).unwrap(), ChatSettings::default());
    assert_eq!(one.change_chat(CHAT, &mut |now| *now = chat).unwrap(), chat);
    assert_eq!(one.change_person(ANN, &mut |now| *now = person).unwrap(), person);
    assert_eq!((other.chat(CHAT).unwrap(), other.person(ANN).unwrap()), (chat, person));
    let elsewhere = ChatId { platform: Platform::Discord, ..CHAT };
    assert_eq!(other.chat(elsewhere).unwrap(), ChatSettings::default());
}

fn changes_made_at_the_same_time_all_hold(Stores([one, other], _): &Stores) {
    for round in 0..50 {
        let person = PersonId { id: round, ..ANN };
        std::thread::scope(|scope| {
            scope.spawn(|| one.change_person(person, &mut |now| now.opted_out = true).unwrap());
            scope.spawn(|| other.change_person(person, &mut |now| now.language = Some(Language::Czech)).unwrap());
        });
        let now = one.person(person).unwrap();
        assert!(now.opted_out && now.language == Some(Language::Czech), "round {round}: {now:?}");
    }
}

fn a_game_accepts_each_players_first_guess_and_ends_once(Stores([one, other], _): &Stores) {
    let number = one.open_game(&game()).unwrap();
    assert_eq!(other.guess(number, &player(2), 30).unwrap(), GuessOutcome::Accepted { players: 1 });
    assert_eq!(one.guess(number, &player(2), 40).unwrap(), GuessOutcome::AlreadyGuessed(30));
    assert_eq!(one.guess(number, &player(3), 35).unwrap(), GuessOutcome::Accepted { players: 2 });
    let stored = other.game(number).unwrap().unwrap();
    assert_eq!(stored, Game { guesses: vec![(player(2), 30), (player(3), 35)], ..game() });
    assert!(one.end_game(number, &|_| vec![player(3)]).unwrap().is_some());
    assert!(other.end_game(number, &|_| vec![player(3)]).unwrap().is_none());
    assert_eq!(other.guess(number, &player(4), 35).unwrap(), GuessOutcome::GameOver);
    let second = one.open_game(&game()).unwrap();
    assert_ne!(second, number);
    one.end_game(second, &|_| vec![player(3), player(2)]).unwrap();
    assert_eq!(other.scores(CHAT).unwrap(), [("P3".to_owned(), 2), ("P2".to_owned(), 1)]);
}

fn a_guess_that_races_with_the_end_of_its_game_counts_or_is_refused(Stores([one, other], _): &Stores) {
    let everybody = |game: &Game| game.guesses.iter().map(|(player, _)| player.clone()).collect();
    for _ in 0..20 {
        let number = one.open_game(&game()).unwrap();
        let (guessed, ended) = std::thread::scope(|scope| {
            let guessed = scope.spawn(|| one.guess(number, &player(2), 30).unwrap());
            let ended = scope.spawn(|| other.end_game(number, &everybody).unwrap().unwrap());
            (guessed.join().unwrap(), ended.join().unwrap())
        });
        assert_eq!(guessed == GuessOutcome::GameOver, ended.guesses.is_empty());
    }
}

fn the_oldest_game_of_a_chat_is_deleted_for_a_new_one(Stores([one, _], _): &Stores) {
    let first = one.open_game(&game()).unwrap();
    for _ in 0..MAX_OPEN_GAMES {
        // Their numbers grow with the time.
        std::thread::sleep(std::time::Duration::from_millis(2));
        one.open_game(&game()).unwrap();
    }
    assert_eq!(one.game(first).unwrap(), None);
}

fn forgetting_deletes_everything_stored(Stores([one, other], _): &Stores) {
    let others_game = Game { host: player(5).person, ..game() };
    let (own, others) = (one.open_game(&game()).unwrap(), one.open_game(&others_game).unwrap());
    one.guess(others, &player(1), 30).unwrap();
    one.end_game(one.open_game(&others_game).unwrap(), &|_| vec![player(1), player(2)]).unwrap();
    one.change_person(ANN, &mut |now| now.opted_out = true).unwrap();
    other.forget_person(ANN).unwrap();
    assert_eq!(one.person(ANN).unwrap(), PersonSettings::default());
    assert_eq!(one.game(own).unwrap(), None);
    assert_eq!(one.game(others).unwrap().unwrap().guesses, []);
    assert_eq!(one.scores(CHAT).unwrap(), [("P2".to_owned(), 1)]);
    one.change_chat(CHAT, &mut |now| now.auto = true).unwrap();
    other.forget_chat(CHAT).unwrap();
    assert_eq!(one.chat(CHAT).unwrap(), ChatSettings::default());
    assert_eq!((one.scores(CHAT).unwrap(), one.game(others).unwrap()), (vec![], None));
}

fn a_chat_takes_everything_along_to_its_new_id(Stores([one, other], _): &Stores) {
    let new = ChatId { id: -200, ..CHAT };
    one.change_chat(CHAT, &mut |now| now.auto = true).unwrap();
    let number = one.open_game(&game()).unwrap();
    one.end_game(one.open_game(&game()).unwrap(), &|_| vec![player(3)]).unwrap();
    other.move_chat(CHAT, new).unwrap();
    assert_eq!((one.chat(CHAT).unwrap().auto, one.chat(new).unwrap().auto), (false, true));
    assert_eq!((one.scores(CHAT).unwrap().len(), one.scores(new).unwrap().len()), (0, 1));
    assert_eq!(one.game(number).unwrap().unwrap().chat, new);
}

fn a_message_has_one_job(Stores([one, other], _): &Stores) {
    let job = |message| Job::new(CHAT, message, ANN, "{}".into());
    let update = |bot, update| Some(UpdateId { bot, update });
    assert_eq!(one.receive(update(5, 1), Some(&job(1))).unwrap(), Receipt::Stored);
    assert_eq!(other.receive(update(5, 1), Some(&job(1))).unwrap(), Receipt::Duplicate);
    assert_eq!(other.receive(update(5, 2), Some(&job(1))).unwrap(), Receipt::Duplicate);
    assert_eq!(one.receive(update(5, 3), None).unwrap(), Receipt::Stored);
    assert_eq!(other.receive(update(5, 3), None).unwrap(), Receipt::Duplicate);
    assert_eq!(other.receive(update(6, 3), None).unwrap(), Receipt::Stored, "each bot numbers its updates separately");
    // A job that nobody took from the queue is nobody else's.
    assert_eq!(one.claim_reply(CHAT, 1).unwrap(), Claim::Granted);
    one.finish(CHAT, 1).unwrap();
    assert_eq!(one.receive(update(5, 1), Some(&job(1))).unwrap(), Receipt::Duplicate);
    assert_eq!(one.resume(Platform::Discord).unwrap(), []);
}

fn an_admin_notice_can_be_claimed_once_a_day(Stores([one, other], _): &Stores) {
    assert!(one.claim_admin_notice(CHAT).unwrap() && !other.claim_admin_notice(CHAT).unwrap());
    assert!(one.claim_admin_notice(ChatId { id: -7, ..CHAT }).unwrap());
}

fn a_connections_state_is_kept_until_it_is_deleted(Stores([one, other], _): &Stores) {
    one.save_connection(Platform::Discord, 1, Some("first")).unwrap();
    one.save_connection(Platform::Discord, 1, Some("second")).unwrap();
    assert_eq!(other.load_connection(Platform::Discord, 1).unwrap().as_deref(), Some("second"));
    assert_eq!(other.load_connection(Platform::Discord, 0).unwrap(), None);
    other.save_connection(Platform::Discord, 1, None).unwrap();
    assert_eq!(one.load_connection(Platform::Discord, 1).unwrap(), None);
}

#[test]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
fn gateways_start_their_sessions_one_after_the_other() {
    let stores = cluster();
    let Stores([one, other], _) = &stores;
    let interval = std::time::Duration::from_secs(5);
    assert!(one.claim_session_start(Platform::Discord, interval).unwrap().is_zero());
    let wait = other.claim_session_start(Platform::Discord, interval).unwrap();
    assert!(!wait.is_zero() && wait <= interval, "{wait:?}");
    assert!(other.claim_session_start(Platform::Discord, std::time::Duration::ZERO).unwrap().is_zero());
}

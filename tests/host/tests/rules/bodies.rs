//! When the bytes of an answer come, and what happens when they do not.

use std::time::{Duration, Instant};

use functions_host::HostOptions;
use futures::StreamExt;
use reqwest::Method;

use crate::served::{Files, Served, with_host};

/// Much less than the 240 seconds of Azure, and much more than a test takes otherwise.
const ACTIVITY: Duration = Duration::from_millis(700);

async fn impatient() -> Served {
    let options = HostOptions { activity: ACTIVITY, ..HostOptions::default() };
    Served::start_with(&Files::good(), &[], options).await
}

#[tokio::test]
async fn the_head_of_an_answer_is_held_back_until_its_body_begins() {
    let served = Served::start().await;
    let began = Instant::now();

    let answer = served.get("/first-byte-after/400").send().await.unwrap();
    let head_after = began.elapsed();

    assert!(head_after >= Duration::from_millis(400), "{head_after:?}");
    assert_eq!(answer.text().await.unwrap(), "first");
}

#[tokio::test]
async fn bytes_pass_as_they_come() {
    let served = Served::start().await;

    let answer = served.get("/silent-after-first").send().await.unwrap();
    let first = answer.bytes_stream().next().await.unwrap().unwrap();

    assert_eq!(first, "first");
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_cut_off() {
    let served = impatient().await;
    let began = Instant::now();

    let answer = served.get("/silent-after-first").send().await.unwrap();
    let whole = answer.text().await;

    assert!(whole.is_err(), "{whole:?}");
    assert!(began.elapsed() >= ACTIVITY);
}

#[tokio::test]
async fn an_answer_that_goes_on_may_take_as_long_as_it_likes() {
    let served = impatient().await;

    let answer = served.get("/busy-for/1500").send().await.unwrap();

    assert_eq!(answer.text().await.unwrap().lines().count(), 75);
}

#[tokio::test]
async fn a_request_that_gets_no_answer_is_an_empty_500() {
    let served = impatient().await;
    for path in ["/never", "/first-byte-after/5000"] {
        let answer = served.get(path).send().await.unwrap();

        assert_eq!(answer.status(), 500, "{path}");
        assert_eq!(answer.text().await.unwrap(), "", "{path}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_drops_the_work_in_the_handler() {
    let served = Served::start().await;
    let waiting = tokio::spawn(served.get("/wait").send());
    served.noted("waiting", 1).await;
    assert_eq!(served.notes("dropped"), 0);

    waiting.abort();

    served.noted("dropped", 1).await;
}

#[tokio::test]
async fn a_handler_that_dies_in_its_answer_cuts_it_off() {
    let served = Served::start().await;

    let answer = served.get("/half").send().await.unwrap();
    let whole = answer.text().await;

    assert!(whole.is_err(), "{whole:?}");
}

#[tokio::test]
async fn a_request_without_a_body_reaches_the_handler_twice_if_it_dies_before_its_answer() {
    let served = Served::start().await;

    let answer = served.get("/die-once").send().await.unwrap();

    assert_eq!(answer.status(), 200);
    assert_eq!(served.notes("die-once"), 2);
}

#[tokio::test]
async fn a_request_whose_body_was_begun_is_not_sent_again() {
    let served = Served::start().await;

    let answer = served.request(Method::POST, "/die-once").body("text").send().await.unwrap();

    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "");
    assert_eq!(served.notes("die-once"), 1);
}

#[tokio::test]
async fn a_request_that_takes_too_long_ends_every_other_one() {
    let files = with_host("functionTimeout", "00:00:01");
    let served = Served::start_with(&files, &[], HostOptions::default()).await;
    let long = tokio::spawn(served.get("/busy-for/60000").send());
    tokio::time::sleep(Duration::from_millis(500)).await;

    let other = served.get("/busy-for/60000").send().await.unwrap();
    let (long, other) = (long.await.unwrap().unwrap().text().await, other.text().await);

    assert!(long.is_err() && other.is_err(), "{long:?} {other:?}");
    served.logged("a request took too long").await;
    served.noted("start", 2).await;
    assert_eq!(served.get("/echo").send().await.unwrap().status(), 200);
}

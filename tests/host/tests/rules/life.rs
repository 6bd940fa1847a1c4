//! How a handler is started, watched, started again and ended.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use functions_host::{HostOptions, Level};
use reqwest::Method;

use crate::served::{Files, Served, until};

#[tokio::test]
async fn the_handler_gets_the_settings_of_the_app_and_five_of_the_host() {
    let settings = [("SETTING_OF_THE_APP", "mine")];
    let served = Served::start_with(&Files::good(), &settings, HostOptions::default()).await;

    let seen = served.seen(served.get("/environment")).await;

    let port = seen["FUNCTIONS_CUSTOMHANDLER_PORT"].as_str().unwrap();
    assert_ne!(port, served.host.address().port().to_string());
    assert_eq!(seen["FUNCTIONS_HTTPWORKER_PORT"], port);
    assert_eq!(seen["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"], seen["FUNCTIONS_HTTPWORKER_ID"]);
    assert!(seen["FUNCTIONS_APP_ROOT_PATH"].as_str().is_some_and(|path| path.starts_with('/')));
    assert_eq!(seen["SETTING_OF_THE_APP"], "mine");
    assert!(seen["CARGO_MANIFEST_DIR"].is_null(), "nothing of this process is inherited");
}

#[tokio::test]
async fn a_handler_is_asked_until_it_answers_with_whatever_status() {
    let settings = [("LISTEN_AFTER_MS", "300")];
    let began = Instant::now();

    let served = Served::start_with(&Files::good(), &settings, HostOptions::default()).await;

    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(served.notes("probe"), 1, "one answer is enough");
}

#[tokio::test]
async fn a_handler_that_does_not_answer_in_time_does_not_come_up() {
    let settings = [("LISTEN_AFTER_MS", "60000")];
    let readiness = Duration::from_millis(300);
    let options = HostOptions { readiness, ..HostOptions::default() };

    let log = Served::try_start_with(&Files::good(), &settings, options).await.err().unwrap();

    let told = log.iter().filter(|line| line.text.contains("it does not answer")).count();
    assert_eq!(told, 3, "{log:?}");
    assert!(log.last().unwrap().text.contains("too often"));
}

#[tokio::test]
async fn a_handler_that_fails_three_times_is_given_up() {
    let options = HostOptions::default();

    let log = Served::try_start_with(&Files::good(), &[("EXIT_AT_ONCE", "1")], options).await;

    let log = log.err().unwrap();
    assert_eq!(log.iter().filter(|line| line.text.contains("exit status: 1")).count(), 3);
    assert!(log.iter().all(|line| line.level == Level::Error), "{log:?}");
}

#[tokio::test]
async fn a_handler_that_fails_is_started_again_until_the_third_time() {
    let served = Served::start().await;
    for ends in 1..=2 {
        end(&served, 3, ends).await;
        served.noted("start", ends + 1).await;
        assert_eq!(served.get("/echo").send().await.unwrap().status(), 200);
    }

    end(&served, 3, 3).await;

    served.logged("the host stops").await;
    let answer = served.get("/echo").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), served.notes("start")), (500, 3));
}

#[tokio::test]
async fn a_handler_that_asks_for_it_is_started_again_as_often_as_it_likes() {
    let served = Served::start().await;

    for ends in 1..=4 {
        end(&served, 200, ends).await;
        served.noted("start", ends + 1).await;
        assert_eq!(served.get("/echo").send().await.unwrap().status(), 200);
    }

    assert!(served.host.log().is_empty(), "{:?}", served.host.log());
}

#[tokio::test]
async fn a_handler_that_ends_well_is_not_started_again() {
    let served = Served::start().await;
    end(&served, 0, 1).await;
    let began = Instant::now();

    let answer = served.get("/echo").send().await.unwrap();

    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "");
    assert!(began.elapsed() > Duration::from_millis(1500), "ten more tries: {:?}", began.elapsed());
    assert_eq!(served.notes("start"), 1);
}

#[tokio::test]
async fn what_the_handler_prints_is_filed_by_where_it_printed_it() {
    let served = Served::start().await;

    served.get("/print").send().await.unwrap();

    served.logged("a failure").await;
    served.logged("an ordinary line").await;
    let level = |text: &str| {
        let log = served.host.log();
        log.iter().find(|line| line.text == text).map(|line| line.level)
    };
    assert_eq!(level("an ordinary line"), Some(Level::Information));
    assert_eq!(level("a WARNing"), Some(Level::Warning));
    assert_eq!(level("a failure"), Some(Level::Error));
}

#[tokio::test]
async fn the_handler_is_killed_without_a_warning() {
    let served = Served::start().await;
    let seen = served.seen(served.get("/environment")).await;
    let port = seen["FUNCTIONS_CUSTOMHANDLER_PORT"].as_str().unwrap().parse().unwrap();
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(listens());

    drop(served);

    until("the end of the handler", || !listens()).await;
}

/// Makes the handler end with `code`. A request whose body was begun is not sent again.
async fn end(served: &Served, code: i32, ends: usize) {
    let request = served.request(Method::POST, &format!("/exit/{code}")).body("now");
    assert_eq!(request.send().await.unwrap().status(), 500);
    assert_eq!(served.notes("end"), ends);
}

use super::*;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The next request on a connection, up to the end of its head; `None` if the connection ends.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.ok()?;
        text.push(byte);
    }
    String::from_utf8(text).ok()
}

async fn answer(stream: &mut TcpStream, body: &str) {
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
}

fn get(at: &str) -> Request<Payload> {
    let body = Payload::Whole(Whole::new(Bytes::new(), None));
    let mut request = Request::new(body);
    *request.uri_mut() = format!("http://{at}/mcp?a=b").parse().unwrap();
    request.headers_mut().insert("host", at.parse().unwrap());
    request
}

async fn text(answer: Response<Answer>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    (listener, at)
}

#[tokio::test]
async fn a_connection_whose_answer_was_read_takes_the_next_request() {
    let (listener, at) = listener().await;
    let caller = Caller::new();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        for number in 0..3 {
            let head = head(&mut stream).await.unwrap();
            assert!(head.starts_with("GET /mcp?a=b HTTP/1.1\r\n"), "{head}");
            answer(&mut stream, &number.to_string()).await;
        }
        stream
    };
    let client = async {
        for number in 0..3 {
            assert_eq!(text(caller.send(get(&at)).await.unwrap()).await, number.to_string());
        }
    };
    let (_stream, ()) = tokio::join!(server, client);
}

#[tokio::test]
async fn one_that_the_server_has_closed_costs_no_request() {
    let (listener, at) = listener().await;
    let caller = Caller::new();
    for number in 0..3 {
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await.unwrap();
            answer(&mut stream, &number.to_string()).await;
            stream
        };
        let client = async { text(caller.send(get(&at)).await.unwrap()).await };
        let (mut stream, said) = tokio::join!(server, client);
        assert_eq!(said, number.to_string());
        // The caller has kept it. Closed in good order, or broken off, before the caller can have looked at it.
        if number == 1 {
            stream.set_zero_linger().unwrap();
        }
        stream.shutdown().await.unwrap();
        drop(stream);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_that_was_read_is_not_sent_twice() {
    let (listener, at) = listener().await;
    let caller = Caller::new();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await.unwrap();
        answer(&mut stream, "first").await;
        head(&mut stream).await.unwrap();
        drop(stream);
        drop(listener);
    };
    let client = async {
        assert_eq!(text(caller.send(get(&at)).await.unwrap()).await, "first");
        caller.send(get(&at)).await
    };
    let ((), lost) = tokio::join!(server, client);
    assert!(matches!(lost, Err(CallError::Broken(_))));
    // Nobody listens any more.
    assert!(matches!(caller.send(get(&at)).await, Err(CallError::NotSent(_))));
}

#[tokio::test]
async fn an_answer_that_is_not_read_closes_its_connection() {
    let (listener, at) = listener().await;
    let caller = Caller::new();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab").await.unwrap();
        assert_eq!(head(&mut stream).await, None);
        // The next request comes on another one.
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await.unwrap();
        answer(&mut stream, "new").await;
    };
    let client = async {
        let mut begun = caller.send(get(&at)).await.unwrap().into_body();
        begun.frame().await.unwrap().unwrap();
        drop(begun);
        text(caller.send(get(&at)).await.unwrap()).await
    };
    let ((), said) = tokio::join!(server, client);
    assert_eq!(said, "new");
}

#[tokio::test]
async fn idle_connections_end_without_being_asked() {
    let (listener, at) = listener().await;
    let caller = Caller::foreign(CONNECT, Duration::from_millis(20));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await.unwrap();
        answer(&mut stream, "first").await;
        assert_eq!(head(&mut stream).await, None);
    };
    let client = async { text(caller.send(get(&at)).await.unwrap()).await };
    let ((), said) = tokio::join!(server, client);
    assert_eq!(said, "first");
    drop(caller);
}

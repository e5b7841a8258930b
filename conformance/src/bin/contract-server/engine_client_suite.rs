use tokio::net::TcpListener;

pub(crate) async fn serve(_: Vec<TcpListener>) {
    eprintln!("contract-server: not built yet");
}

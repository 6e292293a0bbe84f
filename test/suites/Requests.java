// What Java's HttpClient sends: to a server without TLS it offers h2c on every request. Prints one line per answer.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

public class Requests {
  static final HttpClient client = HttpClient.newHttpClient();

  public static void main(String[] args) throws Exception {
    URI base = URI.create(args[0]);
    byte[] small = "x".repeat(5).getBytes();
    byte[] large = "x".repeat(Integer.parseInt(args[1])).getBytes();

    send(HttpRequest.newBuilder(base.resolve("/a")));
    send(HttpRequest.newBuilder(base.resolve("/b")));
    send(post(base).POST(BodyPublishers.ofByteArray(small)));
    send(post(base).POST(BodyPublishers.ofByteArray(large)));
    send(post(base).POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(large))));
    send(post(base).POST(BodyPublishers.ofByteArray(large)).expectContinue(true));
    send(HttpRequest.newBuilder(base.resolve("/c")));
    websocket(URI.create(base.resolve("/echo").toString().replaceFirst("^http", "ws")));
    System.exit(0);
  }

  static HttpRequest.Builder post(URI uri) {
    return HttpRequest.newBuilder(uri).header("Content-Type", "application/octet-stream");
  }

  static void send(HttpRequest.Builder request) throws Exception {
    var response = client.send(request.build(), BodyHandlers.ofString());
    System.out.println(response.statusCode() + " " + response.body());
  }

  static void websocket(URI uri) throws Exception {
    var received = new CompletableFuture<String>();
    var socket = client.newWebSocketBuilder().buildAsync(uri, new WebSocket.Listener() {
      @Override
      public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
        received.complete(data.toString());
        return null;
      }
    }).get(10, TimeUnit.SECONDS);
    socket.sendText("hello", true);
    System.out.println("websocket " + received.get(10, TimeUnit.SECONDS));
    socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(10, TimeUnit.SECONDS);
  }
}

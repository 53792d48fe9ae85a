// Posts the requests of the files named, with Java's own client as it comes, or of the version named first.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

public class Post {
  public static void main(String[] arguments) throws Exception {
    HttpClient client = arguments[0].equals("default")
        ? HttpClient.newHttpClient()
        : HttpClient.newBuilder().version(HttpClient.Version.valueOf(arguments[0])).build();
    for (int number = 1; number < arguments.length; number++) {
      byte[] whole = Files.readAllBytes(Path.of(arguments[number]));
      int end = new String(whole, StandardCharsets.ISO_8859_1).indexOf("\n\n");
      String[] lines = new String(whole, 0, end, StandardCharsets.UTF_8).split("\n");
      HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(lines[0]));
      for (int line = 1; line < lines.length; line++) {
        int colon = lines[line].indexOf(": ");
        request.header(lines[line].substring(0, colon), lines[line].substring(colon + 2));
      }
      request.POST(HttpRequest.BodyPublishers.ofByteArray(Arrays.copyOfRange(whole, end + 2, whole.length)));
      System.out.println(client.send(request.build(), HttpResponse.BodyHandlers.ofString()).statusCode());
    }
  }
}

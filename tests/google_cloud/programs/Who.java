// Prints the identity that google-auth-library-java finds on this machine.
import com.google.auth.oauth2.ComputeEngineCredentials;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.IdTokenProvider;
import java.util.ArrayList;

public class Who {
  public static void main(String[] arguments) throws Exception {
    String scope = "https://www.googleapis.com/auth/cloud-platform";
    GoogleCredentials found = GoogleCredentials.getApplicationDefault().createScoped(scope);
    found.refresh();
    ComputeEngineCredentials ours = (ComputeEngineCredentials) found;
    // This library asks for no project by itself.
    System.out.println(ours.getAccount() + " - " + found.getAccessToken().getTokenValue());
    ArrayList<IdTokenProvider.Option> none = new ArrayList<>();
    System.out.println(ours.idTokenWithAudience("https://orders.example", none).getTokenValue());
  }
}

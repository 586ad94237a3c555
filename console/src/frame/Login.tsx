// Nobody is logged in here. The page has no field for a token: it would be kept by browsers that mean well.

export const Login = () => (
  <section class="login">
    <h1>Log in by a link</h1>
    <p>Where Busbar's command line is set up, ask for one and open it here:</p>
    <pre>
      <code>busbar token show-context --link</code>
    </pre>
    <p>The session lasts twelve hours, or until you log out. This page goes on by itself once you are in.</p>
  </section>
);

// Starts Swagger UI. It is no inline script, because the policy of the site allows none.

const element = document.querySelector("#swagger-ui");
const isDark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", isDark.matches);

isDark.addEventListener("change", follow);
follow();
SwaggerUIBundle({
  domNode: element,
  url: element.dataset.url,
  // Otherwise it asks a service on the internet whether the schema is valid.
  validatorUrl: null,
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
});

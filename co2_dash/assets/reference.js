// Starts Swagger UI on the API's reference page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  tryItOutEnabled: true,
  // The answers' fields and units are what one comes for.
  defaultModelsExpandDepth: 2,
  // Otherwise the document's address is sent to a validator elsewhere.
  validatorUrl: null,
});

import perfectionist from "eslint-plugin-perfectionist";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/dist/", "public/", ".cache/"] },
  ...tseslint.configs.recommended,
  {
    plugins: { perfectionist },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "perfectionist/sort-imports": [
        "error",
        {
          type: "natural",
          groups: ["builtin", "external", ["parent", "sibling", "index"]],
          newlinesBetween: 0,
          sortSideEffects: false,
        },
      ],
    },
  },
);

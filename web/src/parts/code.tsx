/** Code menu: the view as Python, as a command and for curl, to be copied. */

import { useState } from "preact/hooks";
import type { Code } from "../view/code.ts";
import { Menu } from "./menu.tsx";

/** See the file. */
export function CodeMenu({ codes }: { codes: Code[] }) {
  return (
    <Menu label="Code" name="code" title="this view as code" right>
      {() => <div class="codes">{codes.map((code) => <One key={code.language} {...code} />)}</div>}
    </Menu>
  );
}

function One({ language, text }: { language: string; text: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <section>
      <h4>
        {language}
        <button
          type="button"
          class="plain"
          onClick={() => navigator.clipboard.writeText(text).then(() => setCopied(true), () => setCopied(false))}
        >
          {copied ? "copied" : "copy"}
        </button>
      </h4>
      <pre class="code" data-code={language}>{text}</pre>
    </section>
  );
}

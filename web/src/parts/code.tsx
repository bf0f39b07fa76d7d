/** Code menu: the view as Python, as a command and for curl, to be copied. */

import { useState } from "preact/hooks";
import { type Asked, codeOf } from "../view/code.ts";
import { Menu } from "./menu.tsx";

/** See the file. */
export function CodeMenu({ asked }: { asked: Asked }) {
  return (
    <Menu label="Code" name="code" title="this table as code" right>
      {() => <div class="codes">{codeOf(asked).map((code) => <One key={code.language} {...code} />)}</div>}
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

// Writes src/api/schema.d.ts, the types of the API, from the OpenAPI document of this checkout.
// Python prints the document; PYTHON names the interpreter, the checkout's environment by default.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const root = fileURLToPath(new URL('../../', import.meta.url))
const target = fileURLToPath(new URL('../src/api/schema.d.ts', import.meta.url))
const own = `${root}.venv/bin/python`
const python = process.env.PYTHON ?? (existsSync(own) ? own : 'python3')

const text = execFileSync(python, ['-m', 'hythe.api.openapi'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
const types = astToString(await openapiTS(JSON.parse(text), { alphabetize: true }))
if (!existsSync(target) || readFileSync(target, 'utf8') !== types) writeFileSync(target, types)

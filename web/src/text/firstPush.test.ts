import { expect, test } from 'vitest'
import { firstPush } from './firstPush'

test('on this machine git needs nothing but the remote', () => {
  const app = { name: 'shop', git_url: 'http://127.0.0.1:7600/shop.git', deploy_branch: 'live' }
  expect(firstPush(app)).toEqual([
    'git remote add hythe http://127.0.0.1:7600/shop.git',
    'git push hythe live',
  ])
})

test('from another machine the certificate is pinned first', () => {
  const app = { name: 'shop', git_url: 'https://192.0.2.1:7600/shop.git', deploy_branch: 'main' }
  expect(firstPush(app)).toEqual([
    'hythe login https://192.0.2.1:7600',
    'hythe git:remote -a shop',
    'git push hythe main',
  ])
})
